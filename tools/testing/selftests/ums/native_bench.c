// SPDX-License-Identifier: GPL-2.0
/*
 * UMS benchmark: what the user part of a switch costs on the cpu at hand, beside
 * other ways to change sides. Not a test, and the kernel needs no UMS.
 *
 *   VDSO_IMAGE=IMAGE native_bench
 *
 * IMAGE is the vDSO of a kernel that was built, arch/x86/entry/vdso/vdso64.so;
 * without it the running kernel's is taken. Its functions run on slots that are
 * made up here, as the kernel leaves those of contexts that can switch, so that
 * they do not call it; the counts that they keep show that. One thread runs both
 * sides, with one thread pointer: it is loaded all the same.
 *
 * Everything runs on the cpu that the program was started on. The arguments are
 * in bench.c.
 */
#include <cpuid.h>
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../kselftest.h"
#include "../vDSO/parse_vdso.h"
#include "bench.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE		2
#endif

/* For what takes nanoseconds */
#define MANY			(20 * COUNT)

#define USER_HELD		(UMS_STATE_READY | UMS_STATE_USER)

/* Indices of the slots; OWN is this program where it is a worker */
enum { SCHED = 1, OWN, OTHER, NR_SLOTS };

static _Alignas(64) struct ums_context slots[NR_SLOTS];
static struct uu_vdso vdso;

/* Whether the kernel has enabled protection keys, and those of this thread */
static bool read_pkru(__u32 *pkru)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) ||
	    !(ecx & bit_OSPKE))
		return false;
	/* rdpkru */
	asm volatile(".byte 0x0f, 0x01, 0xee" : "=a" (*pkru) : "c" (0) : "rdx");
	return true;
}

/* This program is @runs on SCHED's processor; OTHER can run, from @entry on */
static void make_slots(unsigned int runs, void (*entry)(void))
{
	struct ums_regs *regs = &slots[OTHER].regs;
	unsigned int i;

	memset(slots, 0, sizeof(slots));
	for (i = SCHED; i < NR_SLOTS; i++) {
		slots[i].id = i;
		slots[i].vp = SCHED;
		slots[i].state = i == runs ? UMS_STATE_RUNNING : USER_HELD;
	}
	slots[SCHED].vp_ids = USER_HELD;
	slots[SCHED].running = runs;

	regs->rsp = (uintptr_t)fiber_stack_init(entry);
	asm volatile("rdfsbase %0" : "=r" (regs->fsbase));
	asm volatile("rdgsbase %0" : "=r" (regs->gsbase));
	asm volatile("stmxcsr %0" : "=m" (regs->mxcsr));
	asm volatile("fnstcw %0" : "=m" (regs->fcw));
	read_pkru(&regs->pkru);
}

/* Each side left by user switch each time, and @runs is back */
static void check_slots(struct result *result, unsigned int runs)
{
	__u32 expected = (BATCHES + 1) * result->count;

	result->failed = slots[runs].switched != expected ||
			 slots[OTHER].switched != expected ||
			 slots[SCHED].running != runs ||
			 slots[runs].state != UMS_STATE_RUNNING ||
			 slots[OTHER].state != USER_HELD;
}

/* The kernel was called, which knows nothing of the other side */
static void no_user_switch(void)
{
	ksft_exit_fail_msg("no user switch\n");
}

static void answer_execute(void)
{
	while (!vdso.yield(&slots[OTHER], 0))
		;
	no_user_switch();
}

static void run_execute(unsigned int count, void *arg)
{
	while (count--)
		vdso.execute(&slots[SCHED], &slots[OTHER]);
}

static void user_execute(struct result *result)
{
	make_slots(SCHED, answer_execute);
	measure(result, run_execute, 2, NULL);
	check_slots(result, SCHED);
}

static void answer_hand(void)
{
	while (!vdso.switch_to(&slots[OTHER], &slots[OWN]))
		;
	no_user_switch();
}

static void run_hand(unsigned int count, void *arg)
{
	while (count--)
		vdso.switch_to(&slots[OWN], &slots[OTHER]);
}

static void hand_over(struct result *result)
{
	make_slots(OWN, answer_hand);
	measure(result, run_hand, 2, NULL);
	check_slots(result, OWN);
}

static const struct row rows[] = {
	{ "one way", "user switch, scheduler and worker", user_execute, 0,
	  MANY },
	{ NULL, "user switch, worker to worker", hand_over, 0, MANY },
	{ NULL, "bare fiber switch", fiber_bare, 0, MANY },
	{ NULL, "wrfsbase alone", fiber_wrfsbase, 0, MANY },
	{ NULL, "swapcontext", fiber_ucontext },
	{ NULL, "futex hand-off, two threads", plain_futex },
	{ NULL, "sched_yield, two threads", plain_yield },
};

/* @path may be NULL */
static void find_functions(const char *path)
{
	void *base = (void *)getauxval(AT_SYSINFO_EHDR);
	struct stat st;
	int fd;

	if (path) {
		fd = open(path, O_RDONLY);
		if (fd < 0 || fstat(fd, &st))
			ksft_exit_fail_perror(path);
		base = mmap(NULL, st.st_size, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE, fd, 0);
		if (base == MAP_FAILED)
			ksft_exit_fail_perror(path);
	}
	if (!base || memcmp(base, ELFMAG, SELFMAG))
		ksft_exit_skip("no vDSO\n");
	vdso_init_from_sysinfo_ehdr((uintptr_t)base);
	vdso.execute = vdso_sym("LINUX_2.6", "__vdso_ums_execute");
	vdso.yield = vdso_sym("LINUX_2.6", "__vdso_ums_yield");
	vdso.switch_to = vdso_sym("LINUX_2.6", "__vdso_ums_switch");
	if (!vdso.execute || !vdso.yield || !vdso.switch_to)
		ksft_exit_skip("no functions of UMS in the vDSO\n");
}

int main(int argc, char **argv)
{
	const char *path = getenv("VDSO_IMAGE");
	cpu_set_t set;
	__u32 pkru;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		ksft_exit_skip("no FSGSBASE\n");
	find_functions(path);
	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		ksft_exit_fail_perror("sched_setaffinity");

	/* A file is as built; the kernel adapts its own to the cpu at boot */
	printf("%s, %s protection keys\n", path ?: "vDSO of this kernel",
	       !path && read_pkru(&pkru) ? "with" : "without");
	return bench_main(argc, argv, rows, ARRAY_SIZE(rows));
}
