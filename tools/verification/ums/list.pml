/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-mode scheduling: a model of completion lists, for spin.
 *
 * Two contexts become READY again and again, and are queued on one list. Two
 * threads take events by ums_dequeue() and execute whose they are; a third takes
 * entries off the ring itself, and sleeps in ums_dequeue() without a buffer.
 * Names are those of the code:
 *
 *   queue, wake		ums_list_queue(), ums_list_wake_locked(), list.c
 *   take, claim		ums_list_peek(), ums_list_claim(), dequeue.c
 *   sleep			ums_list_wait(), dequeue.c
 *
 * What is checked, in all reachable states:
 *
 * - The ring has room for whoever is queued: nobody needs two entries.
 * - An event is read once, and is the one that was copied out.
 * - Where nothing moves any more check_rest() holds: if there is still somebody to
 *   read them all events have been read, and all contexts been executed. A lost
 *   wakeup or a lost event is a state of rest where this is not so.
 *
 * The number of events is bounded, by macros: EVENTS of each context, STEALS by
 * somebody who executes a context that he has read nothing of, SIGNALS to those who
 * read. One that has a signal leaves ums_dequeue(), as after a timeout, and is busy
 * elsewhere for good, after it has executed one context at most.
 *
 * What is left out or simplified:
 *
 * - User code that lies, contexts that are deleted, pollers.
 * - A section under a lock is one step but for what others change there without
 *   it, which is the head. Memory is sequentially consistent: what spinlocks, (A)
 *   and (B) order is not looked at.
 * - Which waiter is near: any may be woken.
 *
 * Each BREAK_ is a mutation that spin must find; run.sh sees to that.
 */

#define NR_CTX		2
#define ENTRIES		2
#define NR_WAITERS	3
#define NR_DEQUEUERS	2
#define NOBODY		NR_CTX

#ifndef EVENTS
#define EVENTS	2
#endif
#ifndef STEALS
#define STEALS	0
#endif
#ifndef SIGNALS
#define SIGNALS	0
#endif

/* struct ums_ring; the counts are bounded, so they do not wrap */
byte ring[ENTRIES] = NOBODY;
byte head, tail;

/* struct ums_ctx */
bit ctx_lock[NR_CTX];
bit ready[NR_CTX];
bit unread[NR_CTX];
byte seq[NR_CTX];
byte ring_pos[NR_CTX];

/* struct ums_list, struct ums_waiter */
bit list_lock;
bit waiting[NR_WAITERS];

/* struct task_struct */
bit asleep[NR_WAITERS];
bit signalled[NR_WAITERS];
bit gone[NR_WAITERS];

byte steals = STEALS, signals = SIGNALS;

#define entry(pos)	ring[(pos) % ENTRIES]
#define queued(c, h)	(ring_pos[c] >= (h) && ring_pos[c] < tail &&	\
			 entry(ring_pos[c]) == (c))

#define wake(w)		waiting[w] = 0; asleep[w] = 0

inline wake_locked()
{
	if
	:: waiting[0] -> wake(0)
	:: waiting[1] -> wake(1)
	:: waiting[2] -> wake(2)
	:: else
	fi
}

/* The lock of @c is held, and dropped; @h is the head, or will be. */
inline queue(c, h)
{
	atomic {
		!list_lock ->
		list_lock = 1;
#ifndef BREAK_HEAD_READ_EARLY
		h = head;
#endif
		unread[c] = 1
	}
	atomic {
		if
		:: queued(c, h) -> goto queued_wake
		:: else
		fi;
		assert(tail - h < ENTRIES);
		ring_pos[c] = tail;
		entry(tail) = c
	}
	tail++;
queued_wake:
	atomic {
		wake_locked();
		list_lock = 0;
		ctx_lock[c] = 0;
		h = 0
	}
}

inline execute(c)
{
	atomic {
		!ctx_lock[c] ->
		if
		:: ready[c] ->
			ready[c] = 0;
			unread[c] = 0
		:: else
		fi;
		c = 0
	}
}

proctype worker(byte c)
{
	byte events = EVENTS, h = 0;

	do
	:: events > 0 ->
#ifdef BREAK_HEAD_READ_EARLY
		atomic { !ready[c] -> h = head };
#endif
		atomic {
			!ready[c] && !ctx_lock[c] ->
			ctx_lock[c] = 1;
			ready[c] = 1;
			seq[c]++;
			events--
		}
		queue(c, h)
	:: else -> break
	od
}

#ifdef BREAK_WAIT_WITHOUT_LOCK
#define look(w)								\
	if								\
	:: head != tail -> goto found					\
	:: head == tail							\
	fi;								\
	atomic { !list_lock -> waiting[w] = 1 }
#else
#define look(w)								\
	atomic {							\
		!list_lock ->						\
		if							\
		:: head != tail -> goto found				\
		:: else -> waiting[w] = 1				\
		fi							\
	}
#endif

/* ums_list_wait(); goes on at @found, or at @left */
inline sleep(w)
{
	if
	:: signalled[w] -> goto left
	:: !signalled[w]
	fi;
	look(w);
again:
	asleep[w] = 1;
	if
	:: atomic { !waiting[w] -> asleep[w] = 0; goto found }
	:: atomic {
		waiting[w] && signalled[w] && !list_lock ->
		asleep[w] = 0;
		waiting[w] = 0;
		goto left
	   }
	:: waiting[w] && !signalled[w]
	fi;
end_asleep:
	!asleep[w];
	goto again
}

/* It may have been woken for an item that it leaves behind. */
#ifdef BREAK_LEAVE_ITEM_BEHIND
#define pass_on()
#else
#define pass_on()							\
	if								\
	:: head != tail -> atomic { !list_lock -> wake_locked() }	\
	:: else								\
	fi
#endif

/* A thread in ums_dequeue(), with room for one event */
proctype dequeuer(byte w)
{
	byte h = 0, c = 0, seen = 0;

found:
	h = head;
	atomic {
		if
		:: h == tail -> h = 0; goto nothing
		:: else -> c = entry(h)
		fi
	}
	atomic {
		!ctx_lock[c] ->
		seen = (unread[c] -> seq[c] : 0)
	}
	/* The copy to user memory is here. */
#ifdef BREAK_HEAD_NOT_EXCHANGED
	head = h + 1;
#else
	atomic {
		if
		:: head == h -> head = h + 1
		:: else -> c = 0; h = 0; seen = 0; goto looked
		fi
	}
#endif
	h = 0;
	atomic {
		!ctx_lock[c] ->
		if
		:: !unread[c] -> c = 0; seen = 0; goto looked
#ifdef BREAK_CLAIM_ANY_EVENT
		:: unread[c] ->
#else
		:: unread[c] && seq[c] == seen ->
#endif
			assert(seq[c] == seen);
			unread[c] = 0;
			seen = 0;
			goto have_event
#ifdef BREAK_CLAIM_WITHOUT_REQUEUE
		:: else -> c = 0; seen = 0; goto looked
#else
		:: else -> ctx_lock[c] = 1; seen = 0
#endif
		fi
	}
	queue(c, h);
	c = 0;
looked:
	if
	:: signalled[w] -> goto left
	:: !signalled[w] -> goto found
	fi;
have_event:
	execute(c);
	if
	:: signalled[w] -> goto left
	:: !signalled[w]
	fi;
	pass_on();
	goto found;

nothing:
	sleep(w);

left:
	pass_on();
	gone[w] = 1
}

/* User code, and ums_dequeue() without a buffer */
proctype consumer(byte w)
{
	byte h = 0, c = 0;

found:
	h = head;
	atomic {
		if
		:: h == tail -> h = 0; goto nothing
		:: else -> c = entry(h)
		fi
	}
	atomic {
		if
		:: head == h -> head = h + 1; h = 0
		:: else -> c = 0; h = 0; goto found
		fi
	}
	execute(c);
	if
	:: signalled[w] -> goto busy
	:: !signalled[w] -> goto found
	fi;

nothing:
	sleep(w);

left:
	pass_on();
busy:
	gone[w] = 1
}

#define STEAL(c)							\
	:: atomic {							\
		steals > 0 && ready[c] && !ctx_lock[c] ->		\
		steals--;						\
		ready[c] = 0;						\
		unread[c] = 0						\
	   }

#define SIGNAL(w)							\
	:: atomic {							\
		signals > 0 && !signalled[w] && !gone[w] ->		\
		signals--;						\
		signalled[w] = 1;					\
		asleep[w] = 0						\
	   }

proctype world()
{
end_world:
	do
	STEAL(0)
	STEAL(1)
	SIGNAL(0)
	SIGNAL(1)
#ifdef CONSUMER
	SIGNAL(2)
#endif
	:: false
	od
}

inline check_rest()
{
	d_step {
		do
		:: n < NR_CTX ->
			assert(!ctx_lock[n] && !ready[n] && !unread[n]);
			n++
		:: else -> break
		od;
		assert(head == tail && !list_lock)
	}
}

init
{
	byte n = 0;

	atomic {
		run worker(0);
		run worker(1);
		run dequeuer(0);
		run dequeuer(1);
#ifdef CONSUMER
		run consumer(2);
#else
		gone[2] = 1;
#endif
		run world()
	}
	timeout;
	if
	:: gone[0] && gone[1] && gone[2]
	:: else -> check_rest()
	fi
}
