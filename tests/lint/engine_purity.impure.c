/* SPDX-License-Identifier: MIT */
/*
 * An archive that engine_purity.sh must refuse: it allocates by itself.
 */
#include <stdlib.h>

void *emu_impure(void);

void *emu_impure(void)
{
	return malloc(1);
}
