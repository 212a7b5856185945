/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UMS slot protocol: the data, and the functions of the kernel that are called
 * from several places.
 */

#define NR_VPS		2
#define NR_THREADS	5
#define NOVP		NR_VPS
#define NOBODY		NR_THREADS

/* ums_ctx.state, and the state word of a slot */
#define READY		1
#define RUNNING		2
#define BLOCKED		3
#define LOCKED		4
#define USER_HELD	5

/* ums_task.held */
#define HELD_KERNEL	0
#define HELD_USER	1

/* task_struct.__state */
#define AWAKE		0
#define INTERRUPTIBLE	1
#define KILLABLE	2

/* loc[]: below NR_THREADS, in the registers of that kernel thread */
#define IN_SLOT		NR_THREADS
#define IN_VP(v)	(NR_THREADS + 1 + (v))

/*
 * Where user code is: anywhere, or in a function of the vDSO. The stages
 * of ums_arch_stage() are SAVE, and LOAD and COMMIT.
 */
#define TOP		0
#define CLAIM		1	/* has read which VP it is on */
#define SAVE		2	/* has claimed the target */
#define LOAD		3	/* has saved its registers */
#define COMMIT		4	/* has loaded the target's; it says so */
#define SYS_EXECUTE	5	/* about to make the system call */
#define SYS_YIELD	6

typedef regs {
	byte who;
	byte pc;
	byte target;
	byte vp;
	bit yield
}

/* Shared memory */
byte slot_state[NR_THREADS];
byte slot_vp[NR_THREADS];
byte running[NR_VPS + 1];		/* one more for NOVP, never read */

/* struct ums_ctx, struct ums_task */
byte state[NR_THREADS];
byte vp[NR_THREADS];
byte pending_vp[NR_THREADS];
bit held[NR_THREADS];
bit kept[NR_THREADS];
bit left_again[NR_THREADS];		/* kept_left is another number now */
bit is_hidden[NR_THREADS];		/* hidden is a word of Promela */
bit gate[NR_THREADS];			/* gate.running is the VP's */

/* struct ums_vp */
byte carrier[NR_VPS];
bit preempt[NR_VPS];
bit serve[NR_VPS];
bit captured[NR_VPS];
regs vp_regs[NR_VPS];

/* struct task_struct */
bit tif_ums[NR_THREADS];
bit tif_sigpending[NR_THREADS];
byte task_state[NR_THREADS];
bit served[NR_THREADS];			/* on ums_group.served */
regs r[NR_THREADS];			/* user mode's, or pt_regs */

/* Not in the code: where the registers of a thread are */
byte loc[NR_THREADS];
bit copy_good[NR_THREADS];		/* its kernel thread has the same */

#ifdef TSO
/* Whom user code has published, and the others do not see yet */
byte store_buffer[NR_THREADS] = NOBODY;
#define drained(t)	(store_buffer[t] == NOBODY)
#else
#define drained(t)	true
#endif
#ifdef BREAK_NO_BARRIER_B
#define barrier_b(t)	true
#else
#define barrier_b(t)	drained(t)
#endif

/* How much there is still to happen */
byte ops = OPS, irqs = IRQS, sleeps = SLEEPS, ids = IDS;
byte dequeues = DEQUEUES, wsigs = WSIGS, ssigs = SSIGS, steals = STEALS;

#define is_scheduler(t)	((t) < NR_VPS)
#define mismatched(t)	(gate[t] && running[vp[t]] != (t))
#define user_left(t)	(vp[t] != NOVP && pending_vp[t] == NOVP && \
			 running[vp[t]] != (t))
#ifdef BREAK_KEPT_NOT_COUNTED
#define regs_kept(t)	(kept[t])
#else
#define regs_kept(t)	(kept[t] && !left_again[t])
#endif
#define mid_switch(t)	(r[t].pc >= SAVE && r[t].pc <= COMMIT)
#define in_reach(t)	(slot_state[t] == USER_HELD || \
			 slot_state[t] == READY)

#define set_regs(to, w, p, t, v, y)					\
	to.who = w;							\
	to.pc = p;							\
	to.target = t;							\
	to.vp = v;							\
	to.yield = y

/* ums_arch_load(): the thread @t takes its registers out of its slot */
inline load_slot(t)
{
	assert(loc[t] == IN_SLOT);
	loc[t] = t;
	copy_good[t] = 0;
	set_regs(r[t], t, TOP, 0, 0, 0)
}

inline ums_publish(x)
{
	if
	:: slot_state[x] == RUNNING -> slot_state[x] = USER_HELD
	:: else
	fi
}

inline ums_vp_leave(t, where)
{
	gate[t] = 0;
	held[t] = where;
	tif_ums[t] = 1;
	if
	:: where == HELD_USER ->
		vp[t] = pending_vp[t];
		pending_vp[t] = NOVP
	:: else ->
		vp[t] = NOVP
	fi
}

/* The wakeup that follows is part of it. */
inline ums_vp_give(v, n)
{
	carrier[v] = n;
	if
	:: is_scheduler(n) -> preempt[v] = 0
	:: else
	fi;
	if
	:: vp[n] != NOVP ->
#ifdef BREAK_GIVE_NOT_PENDING
		vp[n] = v;
#else
		assert(pending_vp[n] == NOVP);
		pending_vp[n] = v;
#endif
#ifndef BREAK_GIVE_WITHOUT_FLAG
		tif_ums[n] = 1
#endif
	:: else ->
		vp[n] = v;
		task_state[n] = AWAKE
	fi
}

inline ums_vp_go_home(v)
{
	assert(vp[v] == NOVP);
	carrier[v] = v;
	captured[v] = 0;
	preempt[v] = 0;
	running[v] = v;
	slot_state[v] = RUNNING;
	vp[v] = v;
	task_state[v] = AWAKE
}

inline swake_up_all()
{
	d_step {
		do
		:: n < NR_THREADS ->
			if
			:: served[n] ->
				served[n] = 0;
				task_state[n] = AWAKE
			:: else
			fi;
			n++
		:: else -> break
		od;
		n = 0
	}
}

/* Of ums_ask_carriers(): that of one VP */
#define ask_carrier(v)	atomic { serve[v] = 1; tif_ums[carrier[v]] = 1 }

/* Wakes @s if it sleeps in ums_dequeue(). */
inline wake_dequeue(s)
{
	if
	:: vp[s] == s && task_state[s] == INTERRUPTIBLE -> task_state[s] = AWAKE
	:: else
	fi
}

/* (B); whoever asks again after the word is cleared is answered again */
inline ums_serve(v)
{
	serve[v] = 0;
	swake_up_all()
}

inline ums_serve_home(v)
{
	if
	:: atomic { !serve[v] -> v = 0 }
	:: atomic { serve[v] -> v = 0 };
		swake_up_all()
	fi
}

/* Will a cmpxchg from READY | USER succeed? */
#define claimable(x)	(slot_state[x] == USER_HELD)

/*
 * All workers are alike to begin with, and so are the schedulers: which of
 * them is the first to be named makes no difference.
 */
byte seen_vps = 0, seen_workers = NR_VPS;

#define known(x)	((x) <= (is_scheduler(x) -> seen_vps : seen_workers))
#define see(x)								\
	if								\
	:: is_scheduler(x) && (x) == seen_vps -> seen_vps++		\
	:: !is_scheduler(x) && (x) == seen_workers -> seen_workers++	\
	:: else								\
	fi

#define my_vp(t)	(is_scheduler(r[t].who) -> r[t].who : slot_vp[r[t].who])
#define may_switch(t)	(r[t].pc == TOP && ops > 0 && known(r[t].who))
#define may_run(t, w)	(may_switch(t) && r[t].who != (w) && \
			 in_reach(w) && known(w))

/* The thread that runs in user mode on @t is going to switch to @to. */
#define begin_switch(t, to, is_yield)					\
	ops--;								\
	see(r[t].who);							\
	see(to);							\
	set_regs(r[t], r[t].who, CLAIM, to, my_vp(t), is_yield)
