/* SPDX-License-Identifier: MIT */
/*
 * Does nothing and ends well. It is linked in two ways, with and without the
 * dynamic loader, to see what starting costs.
 */
int main(void)
{
	return 0;
}
