// SPDX-License-Identifier: GPL-2.0
/*
 * UMS test helpers: values for every register that user code can see, and
 * their comparison. The registers themselves are handled in regs_asm.S.
 */
#include <asm/prctl.h>
#include <assert.h>
#include <cpuid.h>
#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "regs.h"

#define XSAVE_LEGACY	512
#define XSAVE_HEADER	64
#define AREA_SIZE	8192

/* x87, SSE, AVX, AVX-512 (3), PKRU: all that the kernel switches for anyone */
#define XSTATE_PKRU	9
#define XSTATE_WANTED	0x2e7ULL

/* The interrupt flag and the one that is always set */
#define FLAGS_FIXED	0x202ULL

/* Offsets in the legacy area of XSAVE */
#define AREA_FCW	0
#define AREA_FSW	2
#define AREA_FTW	4
#define AREA_MXCSR	24
#define AREA_ST		32
#define AREA_XMM	160

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE	2
#endif

#define X(reg, member) \
	static_assert(offsetof(struct regs_image, member) == (reg), #reg)
X(REGS_RAX, gpr[RAX]);
X(REGS_R11, gpr[R11]);
X(REGS_R15, gpr[NR_GPR - 1]);
X(REGS_FLAGS, flags);
X(REGS_RFBM, rfbm);
X(REGS_XSAVE, xsave);
#undef X

/* The extended states of this machine; zero @rfbm when there is no XSAVE */
static struct {
	uint64_t rfbm;
	unsigned int size;
	struct {
		unsigned int offset;
		unsigned int size;
	} component[64];
} xstate;

bool regs_init(void)
{
	unsigned int eax, ebx, ecx, edx, i;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
		return false;
	asm volatile("xgetbv" : "=a" (eax), "=d" (edx) : "c" (0));
	xstate.rfbm = eax & XSTATE_WANTED;
	xstate.size = XSAVE_LEGACY + XSAVE_HEADER;
	for (i = 2; i < 64; i++) {
		if (!(xstate.rfbm & (1ULL << i)))
			continue;
		__cpuid_count(0xd, i, eax, ebx, ecx, edx);
		xstate.component[i].offset = ebx;
		xstate.component[i].size = eax;
		if (xstate.size < eax + ebx)
			xstate.size = eax + ebx;
	}
	return xstate.size <= AREA_SIZE;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void fill(uint8_t *to, size_t size, uint64_t *seed)
{
	size_t i;

	for (i = 0; i < size; i++)
		to[i] = next_random(seed) >> 32;
}

/* Values that are valid, but nobody's defaults */
static void fill_xstate(uint8_t *area, uint64_t *seed)
{
	uint16_t fcw = 0x037f & ~0x0f00, fsw;
	uint32_t mxcsr = 0x1f80, pkru;
	unsigned int i;

	memset(area, 0, xstate.size);
	fcw |= (next_random(seed) % 4) << 10 | (2 + next_random(seed) % 2) << 8;
	memcpy(area + AREA_FCW, &fcw, sizeof(fcw));
	fsw = (next_random(seed) % 8) << 11 | (next_random(seed) & 0x4700);
	memcpy(area + AREA_FSW, &fsw, sizeof(fsw));
	area[AREA_FTW] = 0xff;
	for (i = 0; i < 8; i++)
		fill(area + AREA_ST + 16 * i, 10, seed);
	mxcsr |= (next_random(seed) % 4) << 13 | (next_random(seed) & 0x3f);
	memcpy(area + AREA_MXCSR, &mxcsr, sizeof(mxcsr));
	fill(area + AREA_XMM, 256, seed);
	for (i = 2; i < 64; i++)
		fill(area + xstate.component[i].offset,
		     xstate.component[i].size, seed);
	if (xstate.rfbm & (1ULL << XSTATE_PKRU)) {
		/* Only keys that nobody uses */
		memset(area + xstate.component[XSTATE_PKRU].offset, 0,
		       xstate.component[XSTATE_PKRU].size);
		pkru = (uint32_t)next_random(seed) << 16;
		memcpy(area + xstate.component[XSTATE_PKRU].offset, &pkru,
		       sizeof(pkru));
	}
	memcpy(area + XSAVE_LEGACY, &xstate.rfbm, sizeof(xstate.rfbm));
}

static bool same_xstate(const uint8_t *a, const uint8_t *b)
{
	unsigned int i;

	if (memcmp(a + AREA_FCW, b + AREA_FCW, 2) ||
	    memcmp(a + AREA_FSW, b + AREA_FSW, 2) ||
	    a[AREA_FTW] != b[AREA_FTW] ||
	    memcmp(a + AREA_MXCSR, b + AREA_MXCSR, 4) ||
	    memcmp(a + AREA_XMM, b + AREA_XMM, 256))
		return false;
	for (i = 0; i < 8; i++)
		if (memcmp(a + AREA_ST + 16 * i, b + AREA_ST + 16 * i, 10))
			return false;
	for (i = 2; i < 64; i++)
		if (memcmp(a + xstate.component[i].offset,
			   b + xstate.component[i].offset,
			   xstate.component[i].size))
			return false;
	return true;
}

/* What a function must find: no values on the x87 stack, no direction */
static void fill_for_function(struct regs_image *in)
{
	uint8_t *area = in->xsave;

	in->flags &= ~FLAGS_DIRECTION;
	area[AREA_FTW] = 0;
	memset(area + AREA_FSW, 0, 2);
}

static int compare(const struct regs_image *in, const struct regs_image *out,
		   const struct regs_act *act)
{
	int i, bad = 0;

	for (i = 0; i < NR_GPR; i++)
		if (in->gpr[i] != out->gpr[i] &&
		    !(act->call && (i == RAX || i == RCX || i == R11)))
			bad |= BAD_GPR;
	if ((in->flags ^ out->flags) & act->flags)
		bad |= BAD_FLAGS;
	if (!same_xstate(in->xsave, out->xsave))
		bad |= BAD_XSTATE;
	return bad;
}

/* Only what a function preserves; of mxcsr that is not the flags */
static int compare_function(const struct regs_image *in,
			    const struct regs_image *out)
{
	static const int preserved[] = { RBX, RBP, R12, R13, R14, R15 };
	const uint8_t *a = in->xsave, *b = out->xsave;
	unsigned int i, offset, bad = 0;
	uint32_t mxcsr[2];

	for (i = 0; i < sizeof(preserved) / sizeof(*preserved); i++)
		if (in->gpr[preserved[i]] != out->gpr[preserved[i]])
			bad |= BAD_GPR;
	memcpy(&mxcsr[0], a + AREA_MXCSR, sizeof(*mxcsr));
	memcpy(&mxcsr[1], b + AREA_MXCSR, sizeof(*mxcsr));
	if (memcmp(a + AREA_FCW, b + AREA_FCW, 2) ||
	    ((mxcsr[0] ^ mxcsr[1]) & ~0x3f))
		bad |= BAD_XSTATE;
	offset = xstate.component[XSTATE_PKRU].offset;
	if (memcmp(a + offset, b + offset, xstate.component[XSTATE_PKRU].size))
		bad |= BAD_XSTATE;
	return bad;
}

/* Data of 64-bit programs: as good as none there, and in each machine's table */
#define USER_DATA	0x2b

struct selectors {
	uint16_t ds;
	uint16_t es;
	uint16_t fs;
	uint16_t gs;
};

static struct selectors read_selectors(void)
{
	struct selectors now;

	asm volatile("mov %%ds, %0\n\t"
		     "mov %%es, %1\n\t"
		     "mov %%fs, %2\n\t"
		     "mov %%gs, %3"
		     : "=r" (now.ds), "=r" (now.es), "=r" (now.fs), "=r" (now.gs));
	return now;
}

/* To load fs or gs is to lose their bases. */
static void load_selectors(struct selectors to)
{
	uint64_t base;

	asm volatile("mov %0, %%ds\n\t"
		     "mov %1, %%es"
		     : : "r" (to.ds), "r" (to.es));
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return;
	asm volatile("rdfsbase %0\n\t"
		     "mov %1, %%fs\n\t"
		     "wrfsbase %0"
		     : "=&r" (base) : "r" (to.fs));
	asm volatile("rdgsbase %0\n\t"
		     "mov %1, %%gs\n\t"
		     "wrgsbase %0"
		     : "=&r" (base) : "r" (to.gs));
}

/* Whatever the kernel finds in them, others have other values there */
static struct selectors fill_selectors(uint64_t seed)
{
	struct selectors to = {
		.ds = seed & 2 ? USER_DATA : 0,
		.es = seed & 4 ? USER_DATA : 0,
		.fs = seed & 8 ? USER_DATA : 0,
		.gs = seed & 16 ? USER_DATA : 0,
	};

	load_selectors(to);
	return read_selectors();
}

static __thread uint64_t tls_word;
static __thread alignas(64) uint8_t area_in[AREA_SIZE];
static __thread alignas(64) uint8_t area_out[AREA_SIZE];

int regs_check(const struct regs_act *act, uint64_t seed)
{
	struct regs_image in = { .rfbm = xstate.rfbm, .xsave = area_in };
	struct regs_image out = { .rfbm = xstate.rfbm, .xsave = area_out };
	uint64_t gs = next_random(&seed) >> 20, gs_after = 0;
	struct selectors before = {}, after;
	int i, bad = 0;

	for (i = 0; i < NR_GPR; i++)
		in.gpr[i] = act->gpr[i] ?: next_random(&seed);
	if (act->call)
		in.gpr[RAX] = act->gpr[RAX];
	in.flags = (next_random(&seed) & FLAGS_USER) | FLAGS_FIXED;
	fill_xstate(area_in, &seed);
	if (act->function)
		fill_for_function(&in);
	memset(area_out, 0, xstate.size);
	tls_word = gs;
	errno = gs & 0xfff;
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE && seed & 1)
		asm volatile("wrgsbase %0" : : "r" (gs));
	else if (syscall(SYS_arch_prctl, ARCH_SET_GS, gs))
		bad |= BAD_BASE;
	if (act->before)
		act->before(act->arg);
	/* Not what a function call preserves */
	if (!act->function)
		before = fill_selectors(seed);

	act->fn(&in, &out);

	if (!act->function) {
		after = read_selectors();
		load_selectors((struct selectors){});
		if (memcmp(&before, &after, sizeof(before)))
			bad |= BAD_SELECTOR;
	}
	if (errno != (int)(gs & 0xfff) || tls_word != gs)
		bad |= BAD_TLS;
	if (syscall(SYS_arch_prctl, ARCH_GET_GS, &gs_after) || gs_after != gs)
		bad |= BAD_BASE;
	if (act->call && (int64_t)out.gpr[RAX] < 0)
		bad |= BAD_CALL;
	if (act->rax)
		*act->rax = out.gpr[RAX];
	return bad | (act->function ? compare_function(&in, &out) :
				      compare(&in, &out, act));
}

int regs_check_call(uint64_t seed, long nr, uint64_t rdi, uint64_t rsi,
		    uint64_t rdx, uint64_t r10)
{
	struct regs_act act = {
		.fn = regs_syscall,
		.call = true,
		.flags = FLAGS_USER,
	};

	act.gpr[RAX] = nr;
	act.gpr[RDI] = rdi;
	act.gpr[RSI] = rsi;
	act.gpr[RDX] = rdx;
	act.gpr[R10] = r10;
	return regs_check(&act, seed);
}

int regs_check_function(uint64_t seed, void *function, uint64_t rdi,
			uint64_t rsi, uint64_t *rax)
{
	struct regs_act act = {
		.fn = regs_call,
		.function = true,
		.rax = rax,
	};

	act.gpr[RAX] = (uintptr_t)function;
	act.gpr[RDI] = rdi;
	act.gpr[RSI] = rsi;
	return regs_check(&act, seed);
}

void regs_spoil(uint64_t seed)
{
	static alignas(64) uint8_t area[AREA_SIZE];
	struct regs_image image = { .rfbm = xstate.rfbm, .xsave = area };
	int i;

	for (i = 0; i < NR_GPR; i++)
		image.gpr[i] = next_random(&seed);
	image.flags = FLAGS_FIXED;
	fill_xstate(area, &seed);
	regs_clobber(&image);
}
