/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: a model of the slot protocol, for spin.
 *
 * Two schedulers (contexts 0 and 1, each with the VP of the same number) and
 * three workers (2 to 4) do what user code may do, in any order: switch by the
 * vDSO, sleep, be interrupted at any instruction that matters, get signals.
 * Each is a process, and that is its kernel thread: what it does in user mode
 * depends on whose registers it has. Names are those of the code:
 *
 *   user mode			arch/x86/entry/vdso/vums.S
 *   finish a switch		ums_finish_switch(), resolve.c
 *   resolve			ums_resolve(), resolve.c
 *   execute, yield		ums_do_switch(), ums_give_back(), execute.c
 *   block			__ums_sched_blocked(), vp.c
 *   park			ums_park_worker(), ums_park_scheduler(), park.c
 *   pull, serve		pull.c
 *   give			ums_vp_give(), ums_vp_go_home(), vp.c
 *
 * What is checked, in all reachable states:
 *
 * - The registers of a thread are a token, loc[], in one place at a time: its
 *   slot, the registers of one kernel thread, or a VP that carries them to
 *   their thread. Who loads them must find them there. So no thread runs on two
 *   VPs, or with registers that it had before.
 * - Who is in user mode carries a VP that names it as its carrier.
 * - The checks of the kernel that kill the process for a lie in user memory
 *   never fire, for user code does not lie here.
 * - No process waits but in a park, in the sleep of ums_wait_served(), or in
 *   user mode. Where nothing moves any more check_rest() holds: no signal is
 *   pending, nobody is on the way, each VP has its carrier and runs the code
 *   that it says, and every other worker can be executed. A lost wakeup or a
 *   deadlock is a state of rest where this is not so.
 *
 * The number of events is bounded, by macros: OPS switches, IRQS interruptions,
 * SLEEPS of workers in the kernel, DEQUEUES in which a scheduler sleeps, WSIGS
 * signals to workers, SSIGS to schedulers, STEALS of signals that somebody else
 * has handled, IDS refusals by rseq ids. At the beginning all workers are
 * parked and user-held, or kernel-held with KERNEL_HELD; the schedulers are in
 * user mode. Signals and kicks reach user mode without any budget. There is no
 * tick: it shall not be what saves a wakeup.
 *
 * What is left out or simplified:
 *
 * - Attaching, user code that lies, switches by system calls that save nothing,
 *   and deferred ones. Exit, the release of orphans, SIGKILL and managed sleeps are
 *   in sleep.pml, events and completion lists in list.pml; here a scheduler
 *   executes whom the slots show READY.
 * - A section under spinlocks is one step, with the wakeup that follows it:
 *   what others read there without the lock is one word, which is written last.
 *   The order of two context locks is lockdep's business. So is what spinlocks
 *   order in memory.
 * - Memory is sequentially consistent. With TSO, the store by which user code
 *   publishes may be seen late, as on x86. What (A) and (B) in pull.c are good
 *   for is shown by what happens when the read before them comes first.
 * - Registers have no content but whose they are, and where in a switch. A
 *   signal handler is no frame: it has run by the time the signal is taken.
 * - A scheduler that sleeps keeps its VP until a worker becomes READY after it
 *   was BLOCKED, or a signal comes. A worker's sleep ends by itself.
 * - Rseq ids are no more than a reason not to switch in user mode.
 *
 * Each BREAK_ is a mutation that spin must find; run.sh sees to that. One is
 * not there because it does no harm: to clear "serve" after the wakeups. The
 * flag that is set with it brings the carrier there again.
 */

#ifndef OPS
#define OPS	3
#endif
#ifndef IRQS
#define IRQS	0
#endif
#ifndef SLEEPS
#define SLEEPS	0
#endif
#ifndef DEQUEUES
#define DEQUEUES 0
#endif
#ifndef WSIGS
#define WSIGS	0
#endif
#ifndef SSIGS
#define SSIGS	0
#endif
#ifndef STEALS
#define STEALS	0
#endif
#ifndef IDS
#define IDS	0
#endif

#include "state.pml"
#include "thread.pml"

/* Everything else in the world: signals, and stores that become visible */
#define SEND(x, budget)							\
	:: atomic {							\
		budget > 0 && !tif_sigpending[x] && known(x) ->		\
		budget--;						\
		see(x);							\
		tif_sigpending[x] = 1;					\
		if							\
		:: task_state[x] == INTERRUPTIBLE -> task_state[x] = AWAKE \
		:: else							\
		fi							\
	   }

#define STEAL(x)							\
	:: atomic {							\
		steals > 0 && tif_sigpending[x] ->			\
		steals--;						\
		tif_sigpending[x] = 0					\
	   }

#define DRAIN(x)							\
	:: atomic {							\
		store_buffer[x] != NOBODY ->				\
		slot_state[store_buffer[x]] = USER_HELD;		\
		store_buffer[x] = NOBODY				\
	   }

proctype world()
{
end_world:
	do
	SEND(0, ssigs)
	SEND(1, ssigs)
	SEND(2, wsigs)
	SEND(3, wsigs)
	SEND(4, wsigs)
	STEAL(2)
	STEAL(3)
	STEAL(4)
#ifdef TSO
	DRAIN(0)
	DRAIN(1)
	DRAIN(2)
	DRAIN(3)
	DRAIN(4)
#endif
	:: false
	od
}

/* @t is in reach by its slot, or its code runs where it should. */
#define user_code_ok(t)							\
	((slot_state[t] == USER_HELD && loc[t] == IN_SLOT) ||		\
	 (slot_state[t] == RUNNING &&					\
	  ((running[0] == (t) && loc[t] == carrier[0]) ||		\
	   (running[1] == (t) && loc[t] == carrier[1]))))

/* Nothing moves any more: is everybody where he can go on from? */
inline check_rest()
{
	d_step {
		n = 0;
		do
		:: n < NR_VPS ->
			t = carrier[n];
			assert(vp[t] == n && !preempt[n] && !captured[n]);
			assert(r[t].who == running[n] && r[t].pc == TOP);
			assert(loc[running[n]] == t);
			n++
		:: else -> break
		od;
		t = 0;
		do
		:: t < NR_THREADS ->
			assert(!tif_sigpending[t] && pending_vp[t] == NOVP);
			assert(!is_hidden[t] && !served[t]);
			if
			:: vp[t] != NOVP ->
				assert(carrier[vp[t]] == t);
				assert(held[t] == HELD_KERNEL);
				assert(state[t] == RUNNING && user_code_ok(t))
			:: vp[t] == NOVP && held[t] == HELD_USER ->
				assert(is_scheduler(t) ||
				       state[t] == USER_HELD);
				assert(task_state[t] != AWAKE);
				assert(user_code_ok(t))
			:: else ->
				assert(state[t] == READY);
				assert(slot_state[t] == READY);
				assert(task_state[t] == INTERRUPTIBLE);
				assert(loc[t] == t && r[t].who == t)
			fi;
			t++
		:: else -> break
		od
	}
}

init
{
	byte n = 0, t = 0;

	d_step {
		do
		:: t < NR_THREADS ->
			pending_vp[t] = NOVP;
			if
			:: is_scheduler(t) ->
				carrier[t] = t;
				running[t] = t;
				vp[t] = t;
				gate[t] = 1;
				state[t] = RUNNING;
				slot_state[t] = RUNNING;
				slot_vp[t] = t;
				vp_regs[t].who = NOBODY;
				r[t].who = t;
				loc[t] = t
			:: else ->
				vp[t] = NOVP;
#ifdef KERNEL_HELD
				state[t] = READY;
				slot_state[t] = READY;
				r[t].who = t;
				loc[t] = t
#else
				state[t] = USER_HELD;
				slot_state[t] = USER_HELD;
				held[t] = HELD_USER;
				loc[t] = IN_SLOT;
				/* It left by a system call of its own. */
				r[t].who = t;
				kept[t] = 1;
				copy_good[t] = 1
#endif
			fi;
			t++
		:: else -> break
		od;
		t = 0
	}
	atomic {
		run thread(0);
		run thread(1);
		run thread(2);
		run thread(3);
		run thread(4);
		run world()
	}
	timeout;
	check_rest()
}
