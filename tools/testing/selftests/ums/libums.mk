# SPDX-License-Identifier: GPL-2.0
#
# Tests of tools/lib/ums and samples/ums, for the Makefile to include after
# ../lib.mk.
#
# lib_*_test are linked with the library of the tree. lib_user and lib_cxx are
# built as a user would: against an installed library, by what pkg-config says;
# lib_cxx with the kernel's own header beside that of the library.
# Without pkg-config or a C++ compiler lib_install_test.sh skips what it misses.

LIBUMS_SRC := $(selfdir)/../../lib/ums
LIBUMS_OUT := $(OUTPUT)/libums
LIBUMS_A := $(LIBUMS_OUT)/libums.a
LIBUMS_HDR := $(wildcard $(LIBUMS_SRC)/include/ums/*.h)
LIBUMS_PREFIX := /opt/ums
LIBUMS_ROOT := $(OUTPUT)/libums-root

LIB_TESTS := $(filter $(OUTPUT)/lib_%,$(TEST_GEN_PROGS))
$(LIB_TESTS): CFLAGS += -I$(LIBUMS_SRC)/include
$(LIB_TESTS): $(LIBUMS_A) $(LIBUMS_HDR)
$(OUTPUT)/ums_bench: CFLAGS += -I$(LIBUMS_SRC)/include
LOCAL_HDRS += $(LIBUMS_HDR)

$(LIBUMS_A): $(wildcard $(LIBUMS_SRC)/*.[ch]) $(LIBUMS_HDR)
	$(Q)$(MAKE) -C $(LIBUMS_SRC) OUTPUT=$(LIBUMS_OUT)

PHOTON := $(OUTPUT)/photon
SAMPLES_SRC := $(selfdir)/../../../samples/ums
SAMPLES_OUT := $(OUTPUT)/samples

$(PHOTON): $(wildcard $(SAMPLES_SRC)/photon*) $(LIBUMS_A)
	$(Q)$(MAKE) -C $(SAMPLES_SRC) OUTPUT=$(SAMPLES_OUT) $(SAMPLES_OUT)/photon
	$(Q)cp $(SAMPLES_OUT)/photon $@

$(SAMPLES_OUT)/httpd: $(wildcard $(SAMPLES_SRC)/httpd*) $(LIBUMS_A)
	$(Q)$(MAKE) -C $(SAMPLES_SRC) OUTPUT=$(SAMPLES_OUT) $@

$(LIBUMS_ROOT)/.done: $(LIBUMS_A)
	$(Q)rm -rf $(LIBUMS_ROOT)
	$(Q)$(MAKE) -C $(LIBUMS_SRC) OUTPUT=$(LIBUMS_OUT) \
		DESTDIR=$(LIBUMS_ROOT) prefix=$(LIBUMS_PREFIX) install
	$(Q)touch $@

# A program, where its compiler is there
have = $(shell command -v $(firstword $(1)) 2>/dev/null)
pkg_config = env PKG_CONFIG_SYSROOT_DIR=$(LIBUMS_ROOT) \
	PKG_CONFIG_LIBDIR=$(LIBUMS_ROOT)$(LIBUMS_PREFIX)/lib/pkgconfig \
	pkg-config
USER_CFLAGS := -O2 -Wall -Wextra -Wpedantic -Werror
USER_LDFLAGS := -Wl,-rpath,'$$ORIGIN/libums-root$(LIBUMS_PREFIX)/lib'

USERS :=
ifneq ($(call have,pkg-config),)
USERS += $(OUTPUT)/lib_user $(OUTPUT)/lib_user_static
ifneq ($(call have,$(CXX)),)
USERS += $(OUTPUT)/lib_user_cxx $(OUTPUT)/lib_cxx
endif
endif

$(OUTPUT)/lib_user: lib_user.c $(LIBUMS_ROOT)/.done
	$(CC) -std=c11 $(USER_CFLAGS) $$($(pkg_config) --cflags libums) -o $@ \
		$< $(USER_LDFLAGS) $$($(pkg_config) --libs libums)

$(OUTPUT)/lib_user_static: lib_user.c $(LIBUMS_ROOT)/.done
	$(CC) -std=c11 $(USER_CFLAGS) $$($(pkg_config) --cflags libums) -o $@ \
		$< -static $$($(pkg_config) --libs --static libums)

$(OUTPUT)/lib_user_cxx: lib_user.c $(LIBUMS_ROOT)/.done
	$(CXX) -x c++ -std=c++11 $(USER_CFLAGS) \
		$$($(pkg_config) --cflags libums) -o $@ $< \
		$(USER_LDFLAGS) $$($(pkg_config) --libs libums)

$(OUTPUT)/lib_cxx: lib_cxx.cpp $(LIBUMS_ROOT)/.done
	$(CXX) -std=c++11 $(USER_CFLAGS) $(KHDR_INCLUDES) -include linux/ums.h \
		$$($(pkg_config) --cflags libums) -o $@ $< \
		$(USER_LDFLAGS) $$($(pkg_config) --libs libums)

all: $(PHOTON) $(USERS) $(LIBUMS_ROOT)/.done

TEST_GEN_FILES += $(PHOTON) $(USERS) $(LIBUMS_ROOT)
EXTRA_CLEAN += $(LIBUMS_OUT) $(SAMPLES_OUT)
