// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * libums: the switch of the kernel's vDSO, or what stands in for it
 *
 * The functions are looked up in the image that the kernel has mapped. It is a
 * shared object that is laid out already: all that is needed is in its dynamic
 * section. No dlopen(), which a static program does not have.
 *
 * Without them (vdso=0) the system calls do the same, only slower. That is also
 * what they themselves do where a switch in user mode is not possible.
 */
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>

#include "internal.h"

#define VERSION_NAME	"LINUX_2.6"

/**
 * struct image - A shared object in memory
 *
 * @bias: From an address in the file to one in memory.
 * @symbols: Symbol table.
 * @nr_symbols: Number of entries of @symbols.
 * @strings: Names.
 * @versions: Number of the version of each symbol, or NULL.
 * @definitions: What the numbers mean.
 */
struct image {
	Elf64_Addr bias;
	const Elf64_Sym *symbols;
	size_t nr_symbols;
	const char *strings;
	const Elf64_Versym *versions;
	const Elf64_Verdef *definitions;
};

static const void *at(Elf64_Addr address)
{
	return (const void *)(uintptr_t)address;
}

/* A chain ends with an odd word; the last symbol is the last of some chain */
static size_t count_by_gnu_hash(const Elf32_Word *hash)
{
	const Elf32_Word nr_buckets = hash[0], first = hash[1];
	/* After as many words of a Bloom filter, of 64 bits, as it says */
	const Elf32_Word *buckets = hash + 4 + hash[2] * 2;
	const Elf32_Word *chains = buckets + nr_buckets;
	Elf32_Word i, last = 0;

	for (i = 0; i < nr_buckets; i++)
		if (buckets[i] > last)
			last = buckets[i];
	if (last < first)
		return first;
	while (!(chains[last - first] & 1))
		last++;
	return last + 1;
}

static void read_dynamic(struct image *image, const Elf64_Dyn *dynamic)
{
	const Elf64_Dyn *entry;

	for (entry = dynamic; entry->d_tag != DT_NULL; entry++) {
		const void *value = at(image->bias + entry->d_un.d_ptr);

		switch (entry->d_tag) {
		case DT_SYMTAB:
			image->symbols = value;
			break;
		case DT_STRTAB:
			image->strings = value;
			break;
		case DT_HASH:
			image->nr_symbols = ((const Elf32_Word *)value)[1];
			break;
		case DT_GNU_HASH:
			image->nr_symbols = count_by_gnu_hash(value);
			break;
		case DT_VERSYM:
			image->versions = value;
			break;
		case DT_VERDEF:
			image->definitions = value;
			break;
		}
	}
}

static bool read_image(struct image *image, const Elf64_Ehdr *header)
{
	const Elf64_Phdr *segment = at((uintptr_t)header + header->e_phoff);
	const Elf64_Dyn *dynamic = NULL;
	bool loaded = false;
	unsigned int i;

	for (i = 0; i < header->e_phnum; i++, segment++) {
		if (segment->p_type == PT_LOAD && !loaded) {
			image->bias = (uintptr_t)header + segment->p_offset -
				      segment->p_vaddr;
			loaded = true;
		} else if (segment->p_type == PT_DYNAMIC) {
			dynamic = at((uintptr_t)header + segment->p_offset);
		}
	}
	if (!loaded || !dynamic)
		return false;

	read_dynamic(image, dynamic);
	return image->symbols && image->strings;
}

static bool has_version(const struct image *image, size_t symbol)
{
	const Elf64_Verdef *definition = image->definitions;
	const Elf64_Verdaux *name;
	Elf64_Versym version;

	if (!image->versions || !definition)
		return true;

	version = image->versions[symbol] & 0x7fff;
	while (definition->vd_ndx != version) {
		if (!definition->vd_next)
			return false;
		definition = at((uintptr_t)definition + definition->vd_next);
	}
	name = at((uintptr_t)definition + definition->vd_aux);
	return !strcmp(image->strings + name->vda_name, VERSION_NAME);
}

static uintptr_t find(const struct image *image, const char *name)
{
	const Elf64_Sym *symbol;
	size_t i;

	for (i = 0; i < image->nr_symbols; i++) {
		symbol = &image->symbols[i];
		if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
		    symbol->st_shndx != SHN_UNDEF &&
		    !strcmp(image->strings + symbol->st_name, name) &&
		    has_version(image, i))
			return image->bias + symbol->st_value;
	}
	return 0;
}

/* Like the functions of the vDSO, which leave errno (@before) alone */
static long result_of(long ret, int before)
{
	if (ret < 0)
		ret = -errno;
	errno = before;
	return ret;
}

/* Called by run.c, whose stack is not aligned */
static UMS_REALIGN long execute_by_call(struct ums_context *self,
					struct ums_context *target)
{
	int error = errno;

	(void)self;
	return result_of(ums_kernel_execute(-1, ums_load(&target->id), NULL,
					    UMS_EXECUTE_SAVE), error);
}

static UMS_REALIGN long yield_by_call(struct ums_context *self, __u64 param)
{
	struct ums_yield arg = { .param = param };
	int error = errno;

	(void)self;
	return result_of(ums_kernel_ctl(UMS_CTL_YIELD, -1, &arg, sizeof(arg)),
			 error);
}

struct ums_vdso ums_vdso = {
	.execute = execute_by_call,
	.yield = yield_by_call,
	.switch_to = execute_by_call,
};

void ums_vdso_setup(void)
{
	const Elf64_Ehdr *header = at(getauxval(AT_SYSINFO_EHDR));
	uintptr_t execute, yield, switch_to;
	struct image image = { 0 };

	if (!header || !read_image(&image, header))
		return;

	execute = find(&image, "__vdso_ums_execute");
	yield = find(&image, "__vdso_ums_yield");
	switch_to = find(&image, "__vdso_ums_switch");
	if (!execute || !yield || !switch_to)
		return;
	ums_vdso.execute = (__typeof__(ums_vdso.execute))execute;
	ums_vdso.yield = (__typeof__(ums_vdso.yield))yield;
	ums_vdso.switch_to = (__typeof__(ums_vdso.switch_to))switch_to;
}
