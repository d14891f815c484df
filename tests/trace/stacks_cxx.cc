// SPDX-License-Identifier: MIT
// A call from a function whose name C++ has mangled, for the test of --stack.

#include <cstdint>
#include <cstdlib>
#include <sys/eventfd.h>
#include <unistd.h>

#if __has_attribute(noclone)
#define KEPT __attribute__((noinline, noclone))
#else
#define KEPT __attribute__((noinline))
#endif

static volatile int sink;

namespace names {

template <typename T> struct Holder {
	int event;

	KEPT void add(T value) const
	{
		std::uint64_t number = value;

		if (write(event, &number, sizeof(number)) != sizeof(number))
			std::abort();
		sink = sink + 1;
	}
};

} // namespace names

int main()
{
	names::Holder<unsigned short> holder{eventfd(0, 0)};

	holder.add(1);
	return 0;
}
