# SPDX-License-Identifier: GPL-2.0
#
# User-mode scheduling: builds the kernel with it, boots it in QEMU and runs
# things there. `make help` says what there is. The work is done in scripts/.

SCRIPTS := scripts

# The command is taken as it was typed: make must not expand it.
export UMS_CMD = $(value CMD)
export KERNEL KSRC CLOCK ROWS SMP MEM TIMEOUT ICOUNT CMDLINE TESTS REPEAT JOBS

.PHONY: run shell test bench kernel user patched bochs check model clean help
.NOTPARALLEL:

run:
	@$(SCRIPTS)/deps.sh build boot $(if $(CMD),,user)
	@$(SCRIPTS)/kernel.sh
	@$(if $(CMD),:,$(SCRIPTS)/user.sh)
	@$(SCRIPTS)/run.sh

shell:
	@$(SCRIPTS)/deps.sh build boot
	@$(SCRIPTS)/kernel.sh
	@$(SCRIPTS)/boot.sh shell

test:
	@$(SCRIPTS)/deps.sh build boot user
	@$(SCRIPTS)/test.sh

bench:
	@$(SCRIPTS)/deps.sh build boot user bench
	@KERNEL=release $(SCRIPTS)/kernel.sh
	@$(SCRIPTS)/user.sh
	@$(SCRIPTS)/bench.sh

kernel:
	@$(SCRIPTS)/deps.sh build
	@$(SCRIPTS)/kernel.sh

user:
	@$(SCRIPTS)/deps.sh build user
	@$(SCRIPTS)/fetch.sh
	@$(SCRIPTS)/tree.sh
	@$(SCRIPTS)/user.sh

patched:
	@$(SCRIPTS)/deps.sh build
	@$(SCRIPTS)/fetch.sh
	@$(SCRIPTS)/tree.sh
	@$(SCRIPTS)/export.sh

check:
	@$(SCRIPTS)/deps.sh build check
	@$(SCRIPTS)/check.sh

bochs:
	@$(SCRIPTS)/deps.sh build user bochs
	@$(SCRIPTS)/kernel.sh
	@$(SCRIPTS)/user.sh
	@$(SCRIPTS)/bochs.sh

model:
	@$(SCRIPTS)/deps.sh model
	@$(SCRIPTS)/model.sh

clean:
	rm -rf build

help:
	@sed 1d $(SCRIPTS)/help.txt
