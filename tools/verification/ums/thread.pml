/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS slot protocol: a kernel thread, in user mode and in the kernel.
 */

#define take_slow_path(t)						\
	r[t].pc = (r[t].yield -> SYS_YIELD : SYS_EXECUTE);		\
	r[t].vp = 0

proctype thread(byte t)
{
	byte v = 0, n = 0, c = 0;

	atomic {
		if
		:: is_scheduler(t) -> goto user
		:: else -> goto park_worker
		fi
	}

user:
end_user:
	do
	/* An interrupt; the kick of whoever set the flag is one */
	:: atomic { tif_ums[t] || tif_sigpending[t] -> goto border }
	/* Any other one; where it would find nothing to do it is left out */
	:: atomic {
		irqs > 0 && (r[t].pc != TOP || mismatched(t)) ->
		irqs--;
		tif_ums[t] = 1;
		goto border
	   }
	/*
	 * A system call, or a fault, that sleeps. Not half-way through a
	 * switch: it would lose the VP, and go on with the switch on another.
	 */
	:: atomic {
		sleeps > 0 && !is_scheduler(r[t].who) &&
		r[t].pc < SYS_EXECUTE ->
		sleeps--;
		if
		:: mismatched(t) -> tif_ums[t] = 1; goto border
#ifndef BREAK_SLEEP_MID_SWITCH
		:: !mismatched(t) && mid_switch(t) ->
			tif_ums[t] = 1;
			goto border
#endif
		:: else -> goto block
		fi
	   }
	:: atomic {
		dequeues > 0 && is_scheduler(r[t].who) && r[t].pc == TOP &&
		known(r[t].who) ->
		see(r[t].who);
		dequeues--;
		if
		:: mismatched(t) -> tif_ums[t] = 1; goto border
		:: else -> goto dequeue
		fi
	   }

	/* __vdso_ums_execute(), _yield(), _switch(): which VP am I on? */
	:: atomic { may_run(t, 2) -> begin_switch(t, 2, 0) }
	:: atomic { may_run(t, 3) -> begin_switch(t, 3, 0) }
	:: atomic { may_run(t, 4) -> begin_switch(t, 4, 0) }
	:: atomic {
		may_switch(t) && !is_scheduler(r[t].who) ->
		begin_switch(t, my_vp(t), 1)
	   }
	:: atomic {
		r[t].pc == CLAIM && drained(t) ->
		if
		:: claimable(r[t].target) ->
			slot_state[r[t].target] = RUNNING;
#ifdef BREAK_PUBLISH_BEFORE_SAVE
			slot_state[r[t].who] = USER_HELD;
#endif
			r[t].pc = SAVE
		:: claimable(r[t].target) && ids > 0 ->
			ids--;
			take_slow_path(t)
		:: !claimable(r[t].target) -> take_slow_path(t)
		fi
	   }
	:: atomic {
		r[t].pc == SAVE ->
		c = r[t].who;
		assert(loc[c] == t);
		if
		:: !r[t].yield -> slot_vp[r[t].target] = r[t].vp
		:: else
		fi;
		loc[c] = IN_SLOT;
		left_again[c] = 1;
#ifdef BREAK_PUBLISH_BEFORE_RUNNING
		slot_state[c] = USER_HELD;
#endif
		c = 0;
		r[t].pc = LOAD
	   }
	:: atomic {
		r[t].pc == LOAD ->
		assert(loc[r[t].target] == IN_SLOT);
		running[r[t].vp] = r[t].target;
		r[t].pc = COMMIT
	   }
	:: atomic {
		r[t].pc == COMMIT ->
		n = r[t].target;
		assert(loc[n] == IN_SLOT);
		loc[n] = t;
		copy_good[n] = 0;
#if defined(BREAK_PUBLISH_BEFORE_SAVE) || defined(BREAK_PUBLISH_BEFORE_RUNNING)
#elif defined(TSO)
		assert(drained(t));
		store_buffer[t] = r[t].who;
#else
		slot_state[r[t].who] = USER_HELD;
#endif
		set_regs(r[t], n, TOP, 0, 0, 0);
		n = 0
	   }
	:: atomic {
		r[t].pc == SYS_EXECUTE && drained(t) ->
		if
		:: tif_sigpending[t] && !mismatched(t) -> goto border
		:: else -> goto execute
		fi
	   }
	:: atomic {
		r[t].pc == SYS_YIELD && drained(t) ->
		if
		:: mismatched(t) -> tif_ums[t] = 1; goto border
		:: else -> goto yield
		fi
	   }
	od;

execute:
	/* sys_ums_execute() with UMS_EXECUTE_SAVE, ums_do_switch() */
	atomic {
		v = vp[t];
		c = running[v];
		n = r[t].target;
		assert(c == r[t].who && loc[c] == t);
		left_again[c] = 1;
		if
		:: state[n] == READY
		:: (state[n] == USER_HELD ||
		    state[n] == RUNNING && user_left(n)) && claimable(n) ->
			slot_state[n] = RUNNING
		:: else ->
			set_regs(r[t], c, TOP, 0, 0, 0);
			goto execute_fails
		fi;
		captured[v] = 0;
		slot_vp[n] = v;
		running[v] = n;
		loc[c] = IN_SLOT;
		if
		:: n == t ->
			ums_publish(c);
			held[t] = HELD_USER;
			kept[t] = 0;
			tif_ums[t] = 1;
			set_regs(r[t], NOBODY, TOP, 0, 0, 0);
			goto executed
		:: else
		fi;
		/* ums_switch_leave() */
		kept[t] = (c == t);
		copy_good[t] = (c == t);
		left_again[t] = 0;
		set_regs(r[t], (c == t -> t : NOBODY), TOP, 0, 0, 0);
		ums_publish(c);
		ums_vp_leave(t, HELD_USER);
		if
		:: !is_scheduler(t) && vp[t] == NOVP -> state[t] = USER_HELD
		:: else
		fi;
		state[n] = RUNNING;
		slot_state[n] = RUNNING;
		ums_vp_give(v, n);
executed:
		v = 0;
		n = 0;
		c = 0
	}
	goto border;
execute_fails:
	atomic {
		v = 0;
		n = 0;
		c = 0;
		goto user
	}

yield:
	/* ums_give_back() with UMS_YIELD_SAVE */
	atomic {
		assert(r[t].who == t && loc[t] == t && pending_vp[t] == NOVP);
		set_regs(r[t], t, TOP, 0, 0, 0);
		loc[t] = IN_SLOT;
		kept[t] = 1;
		copy_good[t] = 1;
		left_again[t] = 0;
		state[t] = USER_HELD;
		ums_publish(t);
		v = vp[t];
		ums_vp_leave(t, HELD_USER);
		ums_vp_go_home(v)
	}
	ums_serve_home(v);
	goto border;

dequeue:
	/* A scheduler sleeps in ums_dequeue(), and keeps its VP. */
	atomic { barrier_b(t) -> task_state[t] = INTERRUPTIBLE };
	if
#ifndef BREAK_SLEEP_WITHOUT_SERVE
	:: serve[t] -> ums_serve(t)
#endif
	:: else
	fi;
end_dequeue:
	atomic {
		task_state[t] == AWAKE || tif_sigpending[t] ->
		task_state[t] = AWAKE
	}
	goto border;

block:
	/* __ums_sched_blocked(), then the sleep; it ends by itself */
	atomic {
		drained(t) ->
		state[t] = BLOCKED;
		slot_state[t] = BLOCKED;
		v = vp[t];
		ums_vp_leave(t, HELD_KERNEL);
		ums_vp_go_home(v)
	}
	ums_serve_home(v);
	goto border;

border:
	/* __ums_exit_to_user() */
	atomic {
#ifndef BREAK_CLAIM_WITH_STALE_VP
		/*
		 * Which VP it is on may not be true when it goes on, nor the
		 * ids. The system call is right in any case, and gets on under
		 * a debugger; a restart would not.
		 */
		if
		:: r[t].pc == CLAIM && held[t] == HELD_KERNEL ->
			take_slow_path(t)
		:: else
		fi;
#endif
		if
		:: vp[t] != NOVP && held[t] == HELD_KERNEL &&
		   (mid_switch(t) || mismatched(t)) -> goto resolve
		:: else
		fi;
resolved:
		if
		:: !tif_ums[t] -> goto back_to_user
		:: tif_ums[t] && barrier_b(t)
		fi;
#ifndef BREAK_FLAG_CLEARED_LATE
		tif_ums[t] = 0;
#endif
		if
		:: is_scheduler(t) -> goto park_scheduler
		:: else -> goto park_worker
		fi
	}

resolve:
	if
	:: atomic {
		mid_switch(t) && drained(t) ->
		/* ums_finish_switch() */
		v = vp[t];
		c = r[t].who;
		n = r[t].target;
		assert(running[v] == c ||
		       (r[t].pc == COMMIT && running[v] == n));
		assert(!r[t].yield || n == v);
		if
		:: r[t].pc == SAVE ->
			assert(loc[c] == t);
			loc[c] = IN_SLOT;
			left_again[c] = 1;
			if
			:: !r[t].yield -> slot_vp[n] = v
			:: else
			fi
		:: else
		fi;
		running[v] = n;
		if
		:: c == t && tif_sigpending[t] -> is_hidden[t] = 1
#ifndef BREAK_FINISH_WITHOUT_PUBLISH
		:: else -> ums_publish(c)
#else
		:: else
#endif
		fi;
		v = 0;
		c = 0;
		n = 0
	   }
	:: !mid_switch(t)
	fi;
	atomic {
		drained(t) ->
		v = vp[t];
		n = running[v];
		if
		:: n == t ->
			/* ums_resume_self() */
			load_slot(t);
			goto handed_over
		:: else
		fi;
		/* ums_hand_over(), ums_can_run() */
		if
		:: is_scheduler(n) ->
			assert(n == v && vp[n] == NOVP && held[n] == HELD_USER)
		:: !is_scheduler(n) && state[n] == USER_HELD ->
			assert(vp[n] == NOVP && pending_vp[n] == NOVP)
		:: else ->
			assert(state[n] == RUNNING && user_left(n))
		fi;
		if
		:: mid_switch(t) ->
			captured[v] = 0
		:: else ->
			captured[v] = 1;
			assert(r[t].who == n && loc[n] == t);
			loc[n] = IN_VP(v);
			set_regs(vp_regs[v], n, r[t].pc, r[t].target, r[t].vp,
				 r[t].yield)
		fi;
		set_regs(r[t], NOBODY, TOP, 0, 0, 0);
		ums_vp_leave(t, HELD_USER);
		if
		:: !is_scheduler(t) && vp[t] == NOVP -> state[t] = USER_HELD
		:: else
		fi;
		state[n] = RUNNING;
		slot_state[n] = RUNNING;
		ums_vp_give(v, n);
handed_over:
		v = 0;
		n = 0
	}
	goto resolved;

park_worker:
	/* ums_park_worker() */
	atomic {
		if
		:: vp[t] != NOVP -> goto taken
		:: vp[t] == NOVP && tif_sigpending[t] ->
			if
			:: held[t] == HELD_USER -> goto pull
			:: else -> goto lock_for_signal
			fi
		:: else
		fi;
		/* ums_become_ready() */
		if
		:: state[t] == BLOCKED || state[t] == LOCKED ->
			if
			:: state[t] == BLOCKED ->
				wake_dequeue(0);
				wake_dequeue(1)
			:: else
			fi;
			state[t] = READY;
			slot_state[t] = READY
		:: else
		fi;
		if
		:: is_hidden[t] ->
			is_hidden[t] = 0;
#ifndef BREAK_HIDDEN_FOR_EVER
			ums_publish(t)
#endif
		:: else
		fi
	}
park_again:
#ifdef BREAK_STATE_SET_LATE
	if
	:: vp[t] != NOVP || tif_sigpending[t] -> goto park_worker
	:: vp[t] == NOVP && !tif_sigpending[t]
	fi;
	task_state[t] = INTERRUPTIBLE;
#else
	task_state[t] = INTERRUPTIBLE;
	if
	:: atomic {
		vp[t] != NOVP || tif_sigpending[t] ->
		task_state[t] = AWAKE;
		goto park_worker
	   }
	:: vp[t] == NOVP && !tif_sigpending[t]
	fi;
#endif
end_parked:
	task_state[t] == AWAKE;
	goto park_worker;

lock_for_signal:
	atomic {
		if
		:: state[t] == READY ->
			state[t] = LOCKED;
			slot_state[t] = LOCKED
		:: state[t] == RUNNING -> goto park_worker
		:: else
		fi;
		goto not_done
	}

pull:
	/* ums_pull() */
#ifdef BREAK_PULL_WITHOUT_CMPXCHG
	if
	:: vp[t] != NOVP || (!claimable(t) && !is_hidden[t]) -> goto pull_fails
	:: else
	fi;
	atomic {
		if
		:: vp[t] != NOVP -> goto pull_fails
		:: else
		fi;
#else
	atomic {
		if
		:: vp[t] != NOVP || (!claimable(t) && !is_hidden[t]) ->
			goto pull_fails
		:: else
		fi;
#endif
		state[t] = LOCKED;
		slot_state[t] = LOCKED;
		held[t] = HELD_KERNEL;
		kept[t] = 0;
		is_hidden[t] = 0;
		load_slot(t);
		goto not_done
	}
pull_fails:
	/* ums_wait_served() */
#ifdef BREAK_NO_BARRIER_A
	n = claimable(t);
#endif
	atomic {
		if
		:: vp[t] != NOVP -> goto park_worker
		:: vp[t] == NOVP
		fi;
		served[t] = 1;
		task_state[t] = KILLABLE
	}
	/* ums_ask_carriers() */
	if
	:: ask_carrier(0); ask_carrier(1)
	:: ask_carrier(1); ask_carrier(0)
	fi;
	if
#if defined(BREAK_NO_BARRIER_A)
	:: vp[t] != NOVP || n != 0
#elif defined(BREAK_ASK_WITHOUT_LOOKING)
	:: false
#else /* (A) */
	:: vp[t] != NOVP || claimable(t)
#endif
	:: else -> task_state[t] == AWAKE
	fi;
	atomic {
		n = 0;
		served[t] = 0;
		task_state[t] = AWAKE;
		goto park_worker
	}

park_scheduler:
	/* ums_park_scheduler() */
	c = INTERRUPTIBLE;
park_scheduler_again:
	task_state[t] = c;
	if
	:: atomic {
		vp[t] != NOVP ->
		c = 0;
		task_state[t] = AWAKE;
		goto taken
	   }
	:: atomic {
		vp[t] == NOVP && c == INTERRUPTIBLE && tif_sigpending[t] ->
		task_state[t] = AWAKE;
		c = KILLABLE;
		/* ums_vp_preempt() */
		if
		:: carrier[t] != t ->
			preempt[t] = 1;
#ifndef BREAK_PREEMPT_WITHOUT_FLAG
			tif_ums[carrier[t]] = 1
#endif
		:: else
		fi;
		goto park_scheduler_again
	   }
	:: vp[t] == NOVP && (c == KILLABLE || !tif_sigpending[t])
	fi;
end_scheduler_parked:
	task_state[t] == AWAKE;
	goto park_scheduler_again;

taken:
	/* ums_vp_taken() */
	atomic {
		is_hidden[t] = 0;
		v = vp[t];
		if
		:: held[t] == HELD_USER && !captured[v] && regs_kept(t) ->
			assert(loc[t] == IN_SLOT && copy_good[t]);
			loc[t] = t;
			copy_good[t] = 0
		:: held[t] == HELD_USER && captured[v] ->
			assert(vp_regs[v].who == t && loc[t] == IN_VP(v));
			loc[t] = t;
			set_regs(r[t], t, vp_regs[v].pc, vp_regs[v].target,
				 vp_regs[v].vp, vp_regs[v].yield);
			set_regs(vp_regs[v], NOBODY, TOP, 0, 0, 0)
		:: held[t] == HELD_KERNEL ->
			assert(loc[t] == t || mid_switch(t));
			assert(!captured[v])
		:: else ->
			load_slot(t)
		fi;
		captured[v] = 0;
		kept[t] = 0;
		left_again[t] = 0;
		held[t] = HELD_KERNEL;
		gate[t] = 1;
		if
		:: !is_scheduler(t) && preempt[v] ->
			/* ums_give_back() */
			state[t] = READY;
			slot_state[t] = READY;
			ums_vp_leave(t, HELD_KERNEL);
			ums_vp_go_home(v);
			goto given_back
		:: else
		fi
	}
#ifdef BREAK_FLAG_CLEARED_LATE
	tif_ums[t] = 0;
#endif
	if
	:: serve[v] -> ums_serve(v)
	:: atomic { !serve[v] -> goto back_to_user }
	fi;
	goto back_to_user;

given_back:
	ums_serve_home(v);
	goto park_worker;

not_done:
	tif_ums[t] = 1;

back_to_user:
	/* exit_to_user_mode_loop(): signals, then all of it again */
	atomic {
		v = 0;
		if
		:: tif_sigpending[t] ->
			assert(loc[t] == t && held[t] == HELD_KERNEL);
			tif_sigpending[t] = 0;
			goto border
		:: !tif_sigpending[t] && tif_ums[t] -> goto border
		:: else
		fi;
		assert(vp[t] != NOVP && carrier[vp[t]] == t);
		assert(held[t] == HELD_KERNEL && gate[t]);
		assert(loc[r[t].who] == t || mid_switch(t));
		goto user
	}
}
