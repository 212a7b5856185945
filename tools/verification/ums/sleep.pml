/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: a model of managed sleeps, and of the end of threads, for
 * spin.
 *
 * Workers wait for tokens, on one wait queue, in managed sleeps; a waker puts
 * tokens there and each time wakes one who waits. Schedulers execute whoever is
 * READY. Workers and schedulers exit, and get signals. Names are those of the code:
 *
 *   block			__ums_sched_blocked(), ums_record(), sleep.c
 *   wake			try_to_wake_up(), __ums_record_wakeup(), sleep.c
 *   recorded			ums_wakeup_recorded(), sleep.c
 *   timer			ums_late_timer(), late.c
 *   park			ums_park_worker(), park.c
 *   execute, give back		ums_do_switch(), ums_give_back(), execute.c
 *   detach, release		attach.c
 *
 * What is checked, in all reachable states:
 *
 * - Who gets a VP has none, and who runs in user mode is the carrier of his. Only
 *   a VP without an owner is freed, and only once.
 * - Where nothing moves any more check_rest() holds: no token is there for which
 *   somebody sleeps; each VP is with its owner, or with a worker that computes; a
 *   worker sleeps where its state says; nobody is READY if there is a scheduler
 *   that executes everybody; and without schedulers nobody is a worker. A lost
 *   wakeup or a deadlock is a state of rest where this is not so.
 *
 * The number of events is bounded, by macros: ROUNDS, how often each worker waits
 * before it exits or computes for ever; TOKENS; SIGNALS to workers, KILLS of them;
 * SSIGS to schedulers that want their VP back for it; SEXITS of schedulers; and,
 * for those that are not for ever at it, EXECUTES.
 *
 * What is left out or simplified:
 *
 * - The user switch (ums.pml), reading events (list.pml), sleeps that are not
 *   managed but of threads that are released, the freezer, attaching.
 * - A section under a lock is one step, with the true wakeup that follows it.
 *   Memory is sequentially consistent.
 * - The timer may come at any time, and comes in the end. Who waits looks for a
 *   token under the lock of the wait queue, and takes himself off it.
 *
 * Each BREAK_ is a mutation that spin must find; run.sh sees to that.
 */

#ifndef NR_WORKERS
#define NR_WORKERS	2
#endif
#ifndef NR_VPS
#define NR_VPS		1
#endif
#ifndef ROUNDS
#define ROUNDS		1
#endif
#ifndef TOKENS
#define TOKENS		2
#endif
#ifndef SIGNALS
#define SIGNALS		0
#endif
#ifndef KILLS
#define KILLS		0
#endif
#ifndef SSIGS
#define SSIGS		0
#endif
#ifndef SEXITS
#define SEXITS		0
#endif

#define NOVP		NR_VPS
#define OWNER		NR_WORKERS	/* vp.carrier */
#define NOBODY		NR_WORKERS

/* ums_ctx.state */
#define READY		1
#define RUNNING		2
#define BLOCKED		3
#define LOCKED		4
#define TERMINATED	5

/* struct ums_ctx, struct ums_task, by worker */
byte state[NR_WORKERS] = READY;
byte vp[NR_WORKERS] = NOVP;
bit attached[NR_WORKERS] = 1;
bit released[NR_WORKERS];
bit woken[NR_WORKERS];
bit late[NR_WORKERS];

/* struct task_struct, by worker */
bit asleep[NR_WORKERS];			/* __state, and in it TASK_RECORD */
bit record[NR_WORKERS];
bit sigpending[NR_WORKERS];
bit killed[NR_WORKERS];
bit tif_ums[NR_WORKERS];
bit computes[NR_WORKERS];

/* struct ums_vp */
byte carrier[NR_VPS] = OWNER;
bit owned[NR_VPS] = 1;
bit preempt[NR_VPS];
bit freed[NR_VPS];

/* What they wait for */
byte tokens;
bit waits[NR_WORKERS];			/* on the wait queue */

byte nr_schedulers = NR_VPS, to_come = TOKENS, signals = SIGNALS, kills = KILLS;
byte ssigs = SSIGS, sexits = SEXITS;
#ifdef EXECUTES
byte executes = EXECUTES;
#define may_execute	(executes > 0)
#define count_execute	executes--
#else
#define may_execute	true
#define count_execute	skip
#endif

/* A true wakeup */
#define wake_up(w)							\
	asleep[w] = 0;							\
	record[w] = 0

inline free_vp(v)
{
	assert(!owned[v] && !freed[v]);
	freed[v] = 1
}

/* ums_vp_return(): the lock of @w's context is held. */
inline give_home(w)
{
	assert(carrier[vp[w]] == w);
	carrier[vp[w]] = OWNER;
	preempt[vp[w]] = 0;
	if
	:: owned[vp[w]]
	:: else -> free_vp(vp[w])
	fi;
	vp[w] = NOVP
}

/* ums_record(): whether it has not been woken goes to @ok */
inline ums_record(w, ok)
{
#ifdef BREAK_RECORD_WITHOUT_LOOKING
	ok = 1;
	asleep[w] = 1;
#else
	ok = asleep[w];
#endif
	if
	:: ok ->
#ifndef BREAK_OLD_WAKEUP_COUNTS
		woken[w] = 0;
#endif
		record[w] = 1
	:: else
	fi
}

/* __ums_sched_blocked(); whether it is managed was looked at before. */
inline block(w, managed, ok)
{
	atomic {
		if
		:: vp[w] == NOVP && !managed && state[w] == READY ->
			state[w] = LOCKED
		:: vp[w] == NOVP && managed ->
			ums_record(w, ok);
			if
			:: ok && state[w] == LOCKED -> state[w] = READY
			:: else
			fi
		:: vp[w] != NOVP ->
			if
			:: managed -> ums_record(w, ok)
			:: else -> ok = 1
			fi;
			if
			:: ok ->
				state[w] = BLOCKED;
				give_home(w)
			:: else
			fi
		:: else
		fi;
		ok = 0
	}
}

/* ums_detach_current() of a worker */
inline detach(w)
{
	atomic {
		attached[w] = 0;
		state[w] = TERMINATED;
		late[w] = 0;
#ifndef BREAK_EXIT_KEEPS_VP
		if
		:: vp[w] != NOVP -> give_home(w)
		:: else
		fi;
#endif
		tif_ums[w] = 0
	}
}

proctype worker(byte w)
{
	byte rounds = ROUNDS;
	bit managed = 0, ok = 0;

	goto park;

user:
	assert(!attached[w] || (vp[w] != NOVP && carrier[vp[w]] == w));
end_user:
	if
	:: atomic { tif_ums[w] || sigpending[w] -> goto border }
	:: atomic { rounds > 0 && !computes[w] -> rounds-- }
	:: atomic { rounds == 0 && !computes[w] -> computes[w] = 1; goto user }
	:: atomic { rounds == 0 && !computes[w] -> goto exit }
	fi;

	/* A system call that waits for a token */
wait:
	atomic {
		if
		:: tokens > 0 ->
			tokens--;
			waits[w] = 0;
			goto border
		:: tokens == 0 && sigpending[w] ->
			waits[w] = 0;
			rounds++;
			goto border
		:: else ->
			waits[w] = 1;
			asleep[w] = 1
		fi
	}
	/* schedule() */
	managed = !released[w];
	if
	:: attached[w] && asleep[w] && !sigpending[w] ->
		block(w, managed, ok)
	:: else
	fi;
	managed = 0;
	/* __schedule() */
	if
	:: atomic { sigpending[w] -> wake_up(w) }
	:: !sigpending[w]
	fi;
end_asleep:
	!asleep[w];
	goto wait;

border:
	/* __ums_exit_to_user() */
	if
	:: atomic { !attached[w] -> goto signal }
	:: attached[w]
	fi;
	tif_ums[w] = 0;
park:
	if
	:: atomic { vp[w] != NOVP -> goto taken }
	:: atomic {
		vp[w] == NOVP && released[w] && !killed[w] ->
		goto become_plain
	   }
	:: atomic {
		vp[w] == NOVP && sigpending[w] ->
		if
		:: state[w] == READY -> state[w] = LOCKED
		:: state[w] == RUNNING -> goto park
		:: else
		fi;
		goto signal
	   }
	:: atomic {
		vp[w] == NOVP && !released[w] && !sigpending[w] ->
		/* ums_become_ready() */
		if
		:: state[w] == BLOCKED || state[w] == LOCKED ->
			state[w] = READY
		:: else
		fi
	   }
	fi;
	asleep[w] = 1;
	if
	:: atomic {
		vp[w] != NOVP || released[w] || sigpending[w] ->
		asleep[w] = 0;
		goto park
	   }
	:: vp[w] == NOVP && !released[w] && !sigpending[w]
	fi;
end_parked:
	!asleep[w];
	goto park;

taken:
	atomic {
		if
		:: preempt[vp[w]] ->
			/* ums_give_back() */
			state[w] = READY;
			give_home(w);
			goto park
		:: else -> goto signal
		fi
	}

become_plain:
	detach(w);

signal:
	/* The other exit work, then the border again if there is no VP */
	atomic {
		if
		:: killed[w] -> goto exit
		:: else -> sigpending[w] = 0
		fi;
		if
		:: attached[w] && (vp[w] == NOVP || tif_ums[w]) -> goto border
		:: else -> goto user
		fi
	}

exit:
	if
	:: attached[w] -> detach(w)
	:: else
	fi;
	computes[w] = 0
}

proctype scheduler(byte v)
{
	byte w = 0;

end_user:
	if
	:: atomic { sexits > 0 -> sexits--; goto exit }
	:: atomic {
		may_execute && attached[0] && state[0] == READY && !released[0] ->
		w = 0
	   }
#if NR_WORKERS > 1
	:: atomic {
		may_execute && attached[1] && state[1] == READY && !released[1] ->
		w = 1
	   }
#endif
	fi;
	atomic {
		if
		:: attached[w] && state[w] == READY && !released[w] ->
			count_execute;
			assert(carrier[v] == OWNER && vp[w] == NOVP);
			state[w] = RUNNING;
			carrier[v] = w;
			vp[w] = v;
#ifdef BREAK_EXECUTE_WITHOUT_TRUE_WAKEUP
			asleep[w] = asleep[w] && record[w];
#else
			wake_up(w);
#endif
			w = 0
		:: else -> w = 0; goto end_user
		fi
	}
end_parked:
	if
	:: atomic { carrier[v] == OWNER -> goto end_user }
	:: atomic {
		/* ums_vp_preempt() */
		ssigs > 0 && carrier[v] != OWNER ->
		ssigs--;
		preempt[v] = 1;
		tif_ums[carrier[v]] = 1;
		goto end_parked
	   }
	:: atomic { sexits > 0 -> sexits--; goto exit }
	fi;

exit:
	/* ums_detach_scheduler() */
	atomic {
		owned[v] = 0;
		if
		:: carrier[v] == OWNER -> free_vp(v)
		:: else ->
			preempt[v] = 1;
#ifndef BREAK_EXIT_WITHOUT_FLAG
			tif_ums[carrier[v]] = 1
#endif
		fi
	}
	nr_schedulers--;
	if
	:: nr_schedulers > 0 -> goto gone
	:: nr_schedulers == 0
	fi;
	/* ums_release_workers() */
	do
	:: atomic {
		w < NR_WORKERS ->
		if
		:: attached[w] ->
			released[w] = 1;
			tif_ums[w] = 1;
#ifndef BREAK_RELEASE_WITHOUT_WAKEUP
			if
			:: state[w] == READY -> wake_up(w)
			:: else
			fi
#endif
		:: else
		fi;
		w++
	   }
	:: w == NR_WORKERS -> break
	od;
gone:
	skip
}

/* try_to_wake_up() of one who waits, if that is a success */
#define WAKE(w)								\
	:: waits[w] && asleep[w] && !record[w] -> asleep[w] = 0		\
	:: waits[w] && asleep[w] && record[w] &&			\
	   (!attached[w] || (sigpending[w] && fresh(w))) -> wake_up(w)	\
	:: waits[w] && asleep[w] && record[w] && attached[w] &&		\
	   !sigpending[w] && fresh(w) ->				\
		woken[w] = 1;						\
		who = w

/* One that is not is for somebody else; that a signal wakes it is seen to there. */
#if defined(BREAK_WAKEUP_OF_WOKEN)
#define fresh(w)	true
#elif defined(BREAK_SIGNAL_TAKES_WAKEUP)
#define fresh(w)	(!woken[w] || sigpending[w])
#else
#define fresh(w)	(!woken[w])
#endif
#define no_waiter(w)	(!waits[w] || !asleep[w] ||			\
			 (record[w] && attached[w] && !fresh(w)))

#if NR_WORKERS > 1
#define EACH(macro)	macro(0) macro(1)
#define none_to_wake	(no_waiter(0) && no_waiter(1))
#else
#define EACH(macro)	macro(0)
#define none_to_wake	no_waiter(0)
#endif

proctype waker()
{
	byte who = NOBODY;

	do
	:: to_come == 0 -> break
	:: to_come > 0 ->
		atomic {
			to_come--;
			tokens++;
			if
			EACH(WAKE)
			:: none_to_wake
			fi
		}
		/* ums_wakeup_recorded() */
		atomic {
			if
			:: who == NOBODY
			:: else ->
				if
				:: !attached[who] || !woken[who] ||
				   !record[who]
				:: else ->
					if
					:: released[who] -> wake_up(who)
					:: !released[who] ->
						if
						:: state[who] == BLOCKED ->
							state[who] = READY
						:: else
						fi;
						late[who] = 1
					fi
				fi
			fi;
			who = NOBODY
		}
	od
}

/* ums_late_timer() */
#ifdef BREAK_NO_TIMER
#define TIMER(w)
#else
#define TIMER(w)							\
	:: atomic {							\
		late[w] ->						\
		late[w] = 0;						\
		if							\
		:: attached[w] && state[w] == READY && woken[w] &&	\
		   record[w] -> wake_up(w)				\
		:: else							\
		fi							\
	   }
#endif

/* The flag comes first, then the wakeup. */
#define SIGNAL(w)							\
	:: atomic {							\
		signals > 0 && !sigpending[w] ->			\
		signals--;						\
		sigpending[w] = 1;					\
		who = w							\
	   };								\
	   atomic { wake_up(who); who = NOBODY }

#define KILL(w)								\
	:: atomic {							\
		kills > 0 ->						\
		kills--;						\
		killed[w] = 1;						\
		sigpending[w] = 1;					\
		who = w							\
	   };								\
	   atomic { wake_up(who); who = NOBODY }

proctype world()
{
	byte who = NOBODY;

end_world:
	do
	EACH(TIMER)
	EACH(SIGNAL)
	EACH(KILL)
	:: false
	od
}

/* Then there is no VP for who is READY. */
#if NR_VPS > 1
#define all_vps_used	((!owned[0] || carrier[0] != OWNER) &&		\
			 (!owned[1] || carrier[1] != OWNER))
#else
#define all_vps_used	(carrier[0] != OWNER)
#endif

inline check_rest()
{
	d_step {
		do
		:: n < NR_VPS ->
			assert(owned[n] == !freed[n]);
			assert(!owned[n] || carrier[n] == OWNER ||
			       (computes[carrier[n]] && vp[carrier[n]] == n &&
				!preempt[n]));
			n++
		:: else -> break
		od;
		n = 0;
		do
		:: n < NR_WORKERS ->
			assert(!asleep[n] || !waits[n] || tokens == 0);
			assert(!asleep[n] || !woken[n] || !record[n] ||
			       tokens == 0);
			assert(!attached[n] || nr_schedulers > 0);
			if
			:: !attached[n] -> assert(vp[n] == NOVP)
			:: attached[n] && vp[n] != NOVP ->
				assert(state[n] == RUNNING && !asleep[n])
			:: attached[n] && vp[n] == NOVP ->
				assert(asleep[n]);
				assert(state[n] == READY ||
				       (state[n] == BLOCKED && waits[n]));
#ifndef EXECUTES
				assert(state[n] == BLOCKED ||
				       all_vps_used)
#endif
			fi;
			n++
		:: else -> break
		od
	}
}

init
{
	byte n = 0;

	atomic {
		run scheduler(0);
#if NR_VPS > 1
		run scheduler(1);
#endif
		run worker(0);
#if NR_WORKERS > 1
		run worker(1);
#endif
		run waker();
		run world()
	}
	timeout;
	check_rest()
}
