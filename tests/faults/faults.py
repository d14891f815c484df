# SPDX-License-Identifier: MIT
"""Each known fault, as a change of the sources of the emulation.

A fault is (name, {source: changes}, cases): every change is a text that stands
in the source exactly once, and what takes its place; every case is one of the
conformance kit that has to fail then, whatever the order of things. The names
are those of the kit (tests/conformance/codes.c).
"""

ET = "EMU_EPOLLET"

# Room behind each watch for what the file was ready for when last seen.
REMEMBER = ("*new = calloc(1, sizeof(*new));",
            "*new = calloc(1, sizeof(*new) + 64);")

# A wake-up that finds nothing that was not seen before is dropped.
RISING_ONLY = """
	uint32_t *seen = (uint32_t *)(watch + 1);
	uint32_t before = *seen;

	*seen = emu_weak_poll(&watch->weak);
	if (%s!(*seen & ~before))
		return;
	if (watch->source.forgets) { /* and stays armed */
"""
LOOK = ("\twatch->stirred = false;\n\tif (watch->fresh)",
        "\twatch->stirred = false;\n"
        "\t*(uint32_t *)(watch + 1) = bits;\n\tif (watch->fresh)")
WAKE = ("\tif (watch->source.forgets) { /* and stays armed */\n", None)

# What is gone stays until somebody looks at it.
NO_SWEEP = ("\t\tif (emu_weak_gone(&watch->weak)) {", "\t\tif (0) {")

# Which watches are those of eventfds: the second word behind each says so.
IS_EVENTFD = ("\tnew->shared = shared;\n", """
	{
		char path[40], name[40] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, name, sizeof(name) - 1) > 0 &&
			strstr(name, "[eventfd]"))
			((uint32_t *)(new + 1))[1] = 1;
	}
	new->shared = shared;
""")
HEADERS = ("#include <sys/epoll.h>\n",
           "#include <stdio.h>\n#include <sys/epoll.h>\n#include <unistd.h>\n")

READY = "emu/epoll_ready.c"
ITEMS = "emu/epoll_emul.c"
WATCH = "emu/watch.c"
WATCHES = "emu/watches.c"
CTL = "emu/ctl.c"
WAIT = "emu/wait.c"
WAIT_ARGS = "emu/wait_args.c"
ARCH = "emu/arch_x86_64.c"



def number_from(value):
    """New descriptors get numbers of the emulation's own choice."""
    call = "\tint number;\n\n\tdo { /* its lock is taken interruptibly */\n"
    return (call, "\tstatic unsigned int counter;\n\tint number;\n\n"
                  "\tadd.flags |= SECCOMP_ADDFD_FLAG_SETFD;\n"
                  f"\tadd.newfd = {value};\n"
                  "\tdo {\n")


FAULTS = [
    ("eventfd-edge-once", {WATCH: [
        HEADERS, REMEMBER, IS_EVENTFD, LOOK,
        (WAKE[0], RISING_ONLY % "seen[1] && ")]},
     ["e10_every_write_is_an_edge", "mio_waker_is_never_read",
      "e10_write_wakes_waiter_each_time"]),
    # It looks, so that the host's own event is taken; and does nothing.
    ("mod-no-rearm", {ITEMS: [
        ("\temu_item_recount(item);\n\tif (emu_item_poll(item))\n"
         "\t\temu_item_queue_ready(item);\n",
         "\temu_item_recount(item);\n\temu_item_poll(item);\n")]},
     ["a16_mod_rearms_edge", "t07_mod_wakes_blocked_waiter",
      "asio_interrupter"]),
    # Each read of an eventfd wakes those who look for room.
    ("et-refire-on-read", {WATCH: [
        ("return events & ~EMU_EPOLL_PRIVATE_BITS;",
         "return (events & ~EMU_EPOLL_PRIVATE_BITS) | EMU_EPOLLOUT;")]},
     ["e12_in_only"]),
    ("et-ignored", {ITEMS: [
        ("\titem->fd = fd;\n\titem->events = event->events | ALWAYS;",
         f"\titem->fd = fd;\n\titem->events = (event->events & ~{ET}) | "
         "ALWAYS;"),
        ("return -EINVAL;\n\titem->events = event->events | ALWAYS;",
         f"return -EINVAL;\n\titem->events = (event->events & ~{ET}) | "
         "ALWAYS;")]},
     ["d05_edge_once", "f01_pipe_every_write", "t02_edge_wakes_one",
      "go_connection"]),
    ("et-toggle", {READY: [
        ("\t\trevents = emu_item_poll(item);\n\t\tif (!revents) {",
         "\t\tstatic unsigned int waits;\n\n"
         "\t\trevents = emu_item_poll(item);\n"
         f"\t\tif ((item->events & {ET}) && ++waits % 2 == 0)\n"
         "\t\t\trevents = 0;\n\t\tif (!revents) {")]},
     ["e10_every_write_is_an_edge"]),
    ("et-transition-only", {WATCH: [
        REMEMBER, LOOK, (WAKE[0], RISING_ONLY % "")]},
     ["f01_pipe_every_write", "f05_unix_peer_write", "f08_each_arrival",
      "f08_listener_each_connection"]),
    ("no-rdhup", {READY: [
        ("return item->file->ops->poll(item->file, mask) & mask;",
         "return item->file->ops->poll(item->file, mask) & mask &\n"
         "\t       ~EMU_EPOLLRDHUP;")]},
     ["f06_unix_half_close", "f08_half_close", "mio_read_closed"]),
    ("no-hup", {ITEMS: [
        ("#define ALWAYS (EMU_EPOLLERR | EMU_EPOLLHUP)",
         "#define ALWAYS EMU_EPOLLERR")]},
     ["d12_hup_unasked", "f04_pipe_writer_closed", "go_pollable_pipe"]),
    ("rdhup-as-hup", {READY: [
        ("return item->file->ops->poll(item->file, mask) & mask;",
         "mask = item->file->ops->poll(item->file, mask) & mask;\n"
         "\treturn mask | (mask & EMU_EPOLLRDHUP ? EMU_EPOLLHUP : 0);")]},
     ["f06_unix_half_close", "f08_half_close", "mio_read_closed"]),
    ("nested-lost", {READY: [
        ("\tif (emu_file_wake(&epoll->file, EMU_EPOLLIN) > 0)\n"
         "\t\tnews = true;\n", "")]},
     ["n01_waiter_on_outer_is_woken", "n06_every_wakeup_is_an_outer_edge",
      "wayland_compositor"]),
    ("stale-ready", {READY: [
        ("\t\tif (!revents) {\n\t\t\temu_item_dequeue(item);\n"
         "\t\t\tcontinue;\n\t\t}\n",
         "\t\tif (!revents)\n\t\t\trevents = item->events & "
         "~EMU_EPOLL_PRIVATE_BITS;\n")]},
     ["d02_stale_items_are_dropped"]),
    ("phantom-out", {READY: [
        (f"else if (!(item->events & {ET}))",
         f"else if (!(item->events & {ET}) ||\n"
         "\t\t (item->events & EMU_EPOLLOUT))")]},
     ["e12_out_only", "go_connection"]),
    ("no-initial-check", {ITEMS: [
        ("\t\temu_waitq_add(&item->file->waitq, &item->wait);\n"
         "\tif (emu_item_poll(item))\n\t\temu_item_queue_ready(item);\n",
         "\t\temu_waitq_add(&item->file->waitq, &item->wait);\n"
         "\temu_item_poll(item);\n"),
        ("\temu_item_recount(item);\n\tif (emu_item_poll(item))\n"
         "\t\temu_item_queue_ready(item);\n",
         "\temu_item_recount(item);\n\temu_item_poll(item);\n")]},
     ["a15_add_when_ready", "a15_add_ready_wakes_waiter",
      "node_changes_of_interest"]),
    ("lt-not-requeued", {READY: [
        (f"\telse if (!(item->events & {ET}))\n"
         "\t\temu_item_enqueue(item);\n", "")]},
     ["d04_level_repeats", "t03_level_wakes_all", "redis_level_triggered"]),
    ("lifo-ready", {READY: [
        ("emu_list_add_tail(&item->ready, &item->epoll->ready);",
         "emu_list_add_head(&item->ready, &item->epoll->ready);")]},
     ["d01_fifo_by_first_wakeup", "a15_add_queues_at_the_tail"]),
    # Whatever comes between the look and the sleep wakes nobody.
    ("lost-check-then-sleep", {WAIT: [
        ("#include <stdlib.h>\n", "#include <stdlib.h>\n#include <unistd.h>\n"),
        ("\tparked->at_ns = wait->at_ns;\n\tnote_process",
         "\tusleep(1000);\n\temu_loop_drain(intercept->loop);\n"
         "\tparked->at_ns = wait->at_ns;\n\tnote_process")]},
     ["d13_no_pipe_event_lost_before_sleep"]),
    ("waiter-swallows", {WAIT: [
        ("\tif (!parked->call.thread->pwait)\n"
         "\t\temu_parked_kill(parked, true);",
         "\tif (!parked->call.thread->pwait)\n"
         "\t\temu_parked_kill(parked, false);"),
        ("\t\temu_parked_pass_on(parked);\n", "\t\t(void)0;\n")]},
     ["t10_stopped_waiter_takes_nothing"]),
    # A file that is gone stands in for whatever has its number now.
    ("no-close-cleanup", {CTL: [
        ("\treturn emu_weak_is_own(\n"
         "\t\t       &emu_watch_of_file(info.file)->weak, ctl->copy) == 1;",
         "\treturn emu_weak_is_own(&emu_watch_of_file(info.file)->weak,\n"
         "\t\t       ctl->copy) == 1 ||\n"
         "\t       emu_weak_gone(&emu_watch_of_file(info.file)->weak);")],
      WATCHES: [NO_SWEEP]},
     ["l01_many_reuses_of_a_number", "l04_dup2_over_it",
      "libevent_falls_back"]),
    ("keyed-by-number", {CTL: [
        ("\t\tif (item_matches(ctl, item))\n\t\t\treturn item;",
         "\t\treturn item;")],
      WATCHES: [NO_SWEEP]},
     ["l03_number_reused_by_a_new_file", "libevent_falls_back"]),
    ("close-reports-err", {WATCHES: [NO_SWEEP], WATCH: [
        ("\twatch->stirred = false;\n\tif (watch->fresh)",
         "\twatch->stirred = false;\n\tif (emu_weak_gone(&watch->weak))\n"
         "\t\tbits |= EMU_EPOLLERR;\n\tif (watch->fresh)")]},
     ["l04_queued_item_goes_silently"]),
    ("close-no-wake", {WATCH: [
        (WAKE[0], "\tif (emu_weak_poll(&watch->weak) & EMU_EPOLLHUP)\n"
                  "\t\treturn;\n" + WAKE[0])]},
     ["f04_pipe_writer_closed_wakes", "go_pollable_pipe"]),
    ("oneshot-wrong-mask", {READY: [
        ("\tif (item->events & EMU_EPOLLONESHOT)\n\t\titem->events &=",
         "\tif (emu_item_poll(item) & EMU_EPOLLONESHOT)\n"
         "\t\titem->events &=")]},
     ["d06_oneshot", "t02_oneshot_wakes_one", "java_epollport"]),
    ("in-out-split", {READY: [
        ("\t\tevents[stored].events = revents;\n",
         "\t\tif ((revents & IN_OUT) == IN_OUT && stored + 1 < max) {\n"
         "\t\t\tevents[stored].events = revents & ~EMU_EPOLLOUT;\n"
         "\t\t\tevents[stored].data = item->data;\n"
         "\t\t\tstored++;\n"
         "\t\t\trevents = EMU_EPOLLOUT;\n"
         "\t\t}\n"
         "\t\tevents[stored].events = revents;\n"),
        ("while (delivered-- > 0)",
         "while (delivered-- > 0 && emu_epoll_available(epoll))")],
        WAIT: [
        ("int room = max < queued ? max : queued;",
         "int room = max < 2 * queued ? max : 2 * queued;")]},
     ["e12_in_and_out", "d03_bits_are_of_now", "nginx_connection"]),
    ("event-layout", {ARCH: [
        ("const size_t emu_arch_event_size = 12;",
         "const size_t emu_arch_event_size = 16;")]},
     ["c11_event_layout", "tokio_wait_for_1024_events"]),
    ("event-unaligned", {WAIT_ARGS: [
        ("\tif (addr > emu_arch_task_size ||",
         "\tif (addr % 4 || addr > emu_arch_task_size ||")]},
     ["w03_event_array_unaligned"]),
    ("data-truncated", {ARCH: [
        ("memcpy((char *)to + 4, &event->data, 8);",
         "memcpy((char *)to + 4, &(uint64_t){(uint32_t)event->data}, 8);")]},
     ["d10_data_bit_for_bit", "python_selector"]),
    ("eventfd-ebadf", {"emu/rw.c": [
        ("\tobject->counter_fd = fd;\n\tcarry_out(intercept, call, object);",
         "\tobject->counter_fd = fd;\n"
         "\temu_answer_plain(intercept, call, -EBADF);")]},
     ["e07_counter", "mio_start", "node_async_wakeup"]),
    ("eventfd-max", {"emu/eventfd_emul.c": [
        ("\tif (value == UINT64_MAX)", "\tif (value >= UINT64_MAX - 1)")]},
     ["e04_largest_values"]),
    ("cloexec-ignored", {"emu/notifier.c": [
        (".newfd_flags = cloexec ? O_CLOEXEC : 0,", ".newfd_flags = 0,")]},
     ["c03_flags_and_cloexec", "l08_cloexec_of_epoll",
      "l08_cloexec_of_eventfd"]),
    # Numbers are counted, whatever is open at them.
    ("number-outside-table", {"emu/notifier.c": [
        number_from("3 + counter++ % 8")]},
     ["c03_lowest_number", "l10_dupfd_cloexec"]),
    ("number-too-high", {"emu/notifier.c": [
        number_from("600 + counter++ % 400")]},
     ["c03_lowest_number", "c07_select_on_epoll"]),
    ("dupfd-missing", {"emu/filter.c": [
        ("\tif (rc == 0 && !options->io_uring_allow)",
         "\tif (rc == 0)\n"
         "\t\trc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL),\n"
         "\t\t\tSCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, 1030));\n"
         "\tif (rc == 0 && !options->io_uring_allow)")]},
     ["l10_dupfd_cloexec", "mio_start"]),
    # A handler runs, and the wait goes on, flag or no flag.
    ("wait-yields", {"emu/mend.c": [
        ("\tcase EMU_VOID_WAIT:\n"
         "\t\temu_arch_frame_return(frame, call->ip, -EINTR);\n"
         "\t\treturn true;\n\tcase EMU_VOID_DONE:",
         "\tcase EMU_VOID_WAIT:\n"
         "\t\temu_arch_frame_restart(\n"
         "\t\t\tframe, call->ip, call->nr, call->args[0]);\n"
         "\t\treturn true;\n\tcase EMU_VOID_DONE:")]},
     ["g01_eintr", "g01_eintr_in_a_thread"]),
    ("pwait-mask-ignored", {WAIT_ARGS: [
        ("wait->has_mask = true;", "wait->has_mask = false;")]},
     ["g07_mask_blocks_during_the_wait", "g07_default_action_kills",
      "g07_pending_signal"]),
    ("pwait2-truncates", {WAIT_ARGS: [
        ("\tif (spec[0] < 0 || spec[1] < 0 || "
         "spec[1] >= (int64_t)NSEC_PER_SEC)\n\t\treturn -EINVAL;\n",
         "\tif (spec[0] < 0)\n\t\treturn 0;\n"
         "\tspec[1] -= spec[1] % (int64_t)NSEC_PER_MSEC;\n")]},
     ["w06_pwait2_sub_millisecond", "w06_pwait2_timeout_values"]),
    # What the kernel itself does with a call that a signal cut off.
    ("eintr-restarted", {"emu/mend.c": [
        ("\tcase EMU_VOID_WAIT:\n"
         "\t\temu_arch_frame_return(frame, call->ip, -EINTR);\n"
         "\t\treturn true;\n\tcase EMU_VOID_DONE:",
         "\tcase EMU_VOID_WAIT:\n\t\treturn false;\n"
         "\tcase EMU_VOID_DONE:")]},
     ["g01_eintr_sa_restart"]),
    # No sleep lasts longer than a moment.
    ("spurious-eintr", {WAIT: [
        ("\t\t&parked->deadline, parked->at_ns);",
         "\t\t&parked->deadline, emu_loop_now_ns());"),
        (": emu_answer(intercept, &parked->call, 0);",
         ": emu_answer(intercept, &parked->call, -EINTR);")]},
     ["g03_ignored_signals", "g03_blocked_signals"]),
    ("ring-goes-round", {"emu/filter.c": [
        ("\tif (rc == 0 && !options->io_uring_allow)", "\tif (0)")]},
     ["node_epoll_ctl_through_a_ring"]),
    # The copy that was fetched for the call stays open.
    ("dup-holds-eof", {CTL: [
        ("#include <sys/stat.h>\n", "#include <fcntl.h>\n#include <sys/stat.h>\n"),
        ("\temu_slot_clear();\n\treturn rc;",
         "\tfcntl(ctl->copy, F_DUPFD_CLOEXEC, 0);\n"
         "\temu_slot_clear();\n\treturn rc;")]},
     ["l09_reader_in_a_child_sees_the_end",
      "l09_registration_does_not_hold_the_pipe"]),
]
