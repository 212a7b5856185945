// SPDX-License-Identifier: GPL-2.0
/*
 * UMS library: what only C++ programs do. An exception leaves the entry point,
 * and ends scheduling mode; thread_local objects of a worker are destroyed.
 *
 * Prints what went wrong. Exit status: 0 if nothing did, 4 on a kernel without
 * UMS.
 */
#include <ums/ums.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <stdexcept>

namespace {

const int exit_skip = 4;

std::atomic<int> destroyed;

struct Counted {
	int value = 0;
	~Counted()
	{
		destroyed++;
	}
};

thread_local Counted local;

void *worker(void *arg)
{
	local.value = 1;
	try {
		ums_thread_yield(nullptr);
		throw std::runtime_error("caught by the worker");
	} catch (const std::exception &) {
		return arg;
	}
}

/* Runs workers until one has terminated, and says so by an exception */
void proc(ums_reason_t reason, ums_activation_t *activation, void *)
{
	auto *list = static_cast<ums_completion_list_t *>
		     (activation->scheduler_param);
	ums_context_t *next = nullptr;

	if (reason == UMS_REASON_TERMINATED)
		throw std::runtime_error("terminated");
	if (reason == UMS_REASON_YIELDED || reason == UMS_REASON_PREEMPTED)
		next = activation->context;

	do {
		while (!next)
			if (dequeue_ums_completion_list_items(list, -1, &next))
				return;
		execute_ums_thread(next);
	} while (errno == EAGAIN || errno == EINTR);
}

bool check(bool good, const char *what)
{
	if (!good)
		std::printf("# failed: %s\n", what);
	return good;
}

} /* namespace */

int main()
{
	ums_completion_list_t *list = nullptr;
	ums_context_t *context = nullptr;
	bool caught = false, good = true;
	ums_probe probe;
	pthread_t thread;

	if (ums_probe_kernel(&probe))
		return exit_skip;
	if (create_ums_completion_list(&list))
		return 1;
	good &= check(!ums_spawn(list, worker, nullptr, nullptr, &context,
				 &thread), "spawn");

	ums_scheduler_startup_info info = {
		UMS_API_VERSION, list, proc, list
	};
	try {
		enter_ums_scheduling_mode(&info);
	} catch (const std::runtime_error &) {
		caught = true;
	}
	good &= check(caught, "exception of the entry point");
	good &= check(ums_scheduler_leave() && errno == ENOTCONN,
		      "end of scheduling mode");
	good &= check(!pthread_join(thread, nullptr), "join");
	good &= check(destroyed == 1, "destructor of thread_local");
	good &= check(!delete_ums_thread_context(context), "delete context");
	good &= check(!delete_ums_completion_list(list), "delete list");
	return good ? 0 : 1;
}
