# From Yield to Select. `make` alone lists what can be made; the list is the text after the
# double hashes below.
#
# Variables choose a variant; each variant is built in a directory of its own below build/:
#   CC=clang           another compiler            SAN=address, SAN=thread   sanitizers
#   CONTEXT=ucontext   switch stacks by libc       STRESS=1                  the hostile build
#   LTO=0              no link-time optimisation   CENSUS=1                  who used how much stack
#   V=1                show the commands
#
# Two makes may run side by side: whatever is made is written under a name of its own (with the
# shell's number, $$$$) and then renamed, so nobody ever reads half a file.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
Q := $(if $(V),,@)

STAGES := $(sort $(wildcard stage0[1-9]_*))
NUMBERS := 1 2 3 4 5

# ---- the variant --------------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := $(if $(shell command -v gcc),gcc,cc)
endif
compiler := $(if $(findstring clang,$(shell $(CC) --version 2>&1)),clang,gcc)

ifneq ($(filter-out asm ucontext,$(CONTEXT)),)
$(error CONTEXT=$(CONTEXT): there are asm (the default) and ucontext)
endif
ifneq ($(filter-out address thread,$(SAN)),)
$(error SAN=$(SAN): there are address and thread)
endif

# The words of the directory's name; none of them is "default".
words := $(filter-out gcc,$(notdir $(CC)))
optimise := -O2
ifeq ($(CONTEXT),ucontext)
words += ucontext
define_context := -DCONTEXT_UCONTEXT
endif
ifeq ($(SAN),address)
words += address
optimise := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(SAN),thread)
words += thread
optimise := -O1 -fno-omit-frame-pointer -fsanitize=thread
endif
ifneq ($(filter-out 0,$(STRESS)),)
words += stress
define_stress := -DSTRESS
endif
ifneq ($(filter-out 0,$(CENSUS)),)
words += census
define_census := -DSTACK_CENSUS
endif

# A switch costs a few nanoseconds only if the compiler can look across files: gen_send() stands in
# one, its callers in others. clang needs its own linker for that.
LTO ?= 1
ifeq ($(LTO),0)
words += nolto
else ifeq ($(SAN),)
ifeq ($(compiler),gcc)
lto := -flto=auto -ffat-lto-objects
AR := $(firstword $(shell command -v $(subst gcc,gcc-ar,$(lastword $(CC))) gcc-ar) ar)
else ifneq ($(and $(shell command -v ld.lld),$(shell command -v llvm-ar)),)
lto := -flto
link_lto := -fuse-ld=lld
AR := llvm-ar
endif
endif

empty :=
comma := ,
BUILD ?= build/$(or $(subst $(empty) ,-,$(strip $(words))),default)

WERROR ?= -Werror
CPPFLAGS = -D_GNU_SOURCE $(define_context) $(define_stress) $(define_census) $(addprefix -I,$(STAGES))
CFLAGS = -std=c11 -g $(optimise) $(lto) -pthread -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
         -Wstrict-prototypes -Wmissing-prototypes -Wvla $(WERROR)
LDFLAGS = $(optimise) $(lto) $(link_lto) -g -pthread
LDLIBS = -lm

# Everything is made again when the compiler or a flag has changed: $(BUILD)/flags holds both, and
# is written only when that is so.
flags := $(shell $(CC) --version 2>&1 | head -n 1) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(flags)' | cmp -s - $@ || { echo "building in $(BUILD) ($(CC))"; \
	    echo '$(flags)' > $@.$$$$ && mv $@.$$$$ $@; }

# ---- objects and libraries ----------------------------------------------------------------------

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.$$$$.d -MT $@ -c $< -o $@.$$$$.o \
	    && mv $@.$$$$.d $(@:.o=.d) && mv $@.$$$$.o $@ || { rm -f $@.$$$$.*; exit 1; }

-include $(patsubst %.c,$(BUILD)/%.d,$(wildcard \
    stage*/*.c stage*/examples/*.c tests/*.c tests/*/*.c tests/*/*/*.c))

# The objects that a list of sources becomes, and the directories of the stages 1 to N.
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
up_to = $(wordlist 1,$(1),$(STAGES))

.SECONDEXPANSION:
.SECONDARY:

# libstageN.a holds the stages 1 to N: what a program of stage N may use.
$(BUILD)/libstage%.a: $$(call objects,$$(wildcard $$(addsuffix /*.c,$$(call up_to,$$*))))
	$(Q)rm -f $@.$$$$ && $(AR) rcs $@.$$$$ $^ && mv $@.$$$$ $@

# ---- examples -----------------------------------------------------------------------------------

# An example is one file, a whole program. Two libraries are known here, found by their include.
example_libs = $(if $(shell grep -l '<expat.h>' $(1)),$(shell pkg-config --libs expat)) \
               $(if $(shell grep -l '<sqlite3.h>' $(1)),$(shell pkg-config --libs sqlite3))
examples := $(wildcard stage0*/examples/*.c)

$(patsubst %.c,$(BUILD)/%,$(examples)): $(BUILD)/stage0%: \
    $(BUILD)/stage0%.o $(BUILD)/libstage$$(firstword $$(subst _, ,$$*)).a
	$(Q)$(CC) $(LDFLAGS) -o $@.$$$$ $^ $(call example_libs,stage0$*.c) $(LDLIBS) \
	    && mv $@.$$$$ $@

example: ## NAME=… ARGS=…  build an example and run it
	@set -- $(wildcard stage0*/examples/$(or $(NAME),no-name).c); \
	if [ $$# -eq 0 ]; then \
	    echo "example: NAME= one of $(sort $(filter-out demo,$(notdir $(examples:.c=))))" | fmt -w 80; exit 1; \
	fi; \
	program=$(BUILD)/$${1%.c}; \
	$(MAKE) --no-print-directory $$program && exec $$program $(ARGS)

# ---- checks -------------------------------------------------------------------------------------

# A suite says to which stage it belongs: SUITE(future, 2, checks). check_stageN runs the suites of
# the stages 1 to N against what stage N provides.
suites = $(shell grep -lE '^SUITE(_ON_FIXTURE)?.[a-z0-9_]+, [1-$(1)],' tests/test_*.c 2> /dev/null)
harness := $(filter-out tests/harness/fixture_% tests/harness/virtual_%,$(wildcard tests/harness/*.c))
fixture = $(patsubst %,tests/harness/%.c,$(fixture_$(1)))
fixture_1 := fixture_none
fixture_2 := fixture_queue
fixture_3 := fixture_queue
fixture_4 := fixture_loop virtual_clock
fixture_5 := fixture_loop virtual_time
check_libs = $(or $(shell pkg-config --static --libs check 2> /dev/null),$(error \
             Check is not installed (or pkg-config is not): run ./setup.sh))

# These functions of the C library pass through the harness, which can make them fail.
wrap = $(addprefix -Wl$(comma)--wrap=,$(sort $(patsubst __wrap_%,%,\
       $(shell grep -oh '__wrap_[a-z0-9_]*' $(harness) $(fixture) /dev/null))))

# Only the library is worth link-time optimisation.
$(BUILD)/tests/%.o: lto :=
$(BUILD)/tests/%.o: CPPFLAGS += -Itests/harness $(shell pkg-config --cflags check 2> /dev/null)

$(BUILD)/check_stage%: $$(call objects,$$(call suites,$$*) $(harness) $$(call fixture,$$*)) \
    $(BUILD)/libstage%.a
	$(Q)$(CC) $(LDFLAGS) $(call wrap,$*) -o $@.$$$$ $^ $(check_libs) $(LDLIBS) \
	    && mv $@.$$$$ $@

checks := $(addprefix $(BUILD)/check_stage,$(NUMBERS))

stage1: ## generators: check the stage, then show it at work
stage2: ## futures
stage3: ## tasks
stage4: ## the loop
stage5: ## sockets: ends with an echo server under load

# What a stage shows at its end: examples/demo.c, or else the only example that there is.
demonstration = $(firstword $(wildcard $(word $*,$(STAGES))/examples/demo.c \
                                       $(word $*,$(STAGES))/examples/*.c))

stage1 stage2 stage3 stage4 stage5: stage%: $(BUILD)/check_stage%
	@tests/run $(BUILD) $*
	@demo='$(BUILD)/$(basename $(demonstration))'; \
	[ -z '$(demonstration)' ] || { $(MAKE) --no-print-directory "$$demo" && exec "$$demo"; }

# In the ordinary build also: is the student's tree sound, and can it be solved? It is made with Python.
test: ## all checks of all stages
test: $(checks)
ifeq ($(BUILD),build/default)
	@command -v python3 > /dev/null || { echo "without python3 the workbook is not checked"; exit; }; \
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS tests/workbook/check
endif
	@tests/run $(BUILD)

# The harness itself: a suite of failures, on a stage that is in tests/selftest.
selftest_objects = $(call objects,$(harness) tests/harness/fixture_queue.c)
$(BUILD)/tests/selftest/%.o: CPPFLAGS += -Itests/selftest/stage02_futures
$(BUILD)/selftest2: $$(call objects,tests/selftest/failures.c tests/selftest/stage02_futures/tally.c)
$(BUILD)/selftest_empty2: $$(call objects,tests/selftest/empty.c)
$(BUILD)/selftest2 $(BUILD)/selftest_empty2: $$(selftest_objects) $(BUILD)/libstage2.a
	$(Q)$(CC) $(LDFLAGS) $(call wrap,2) -o $@.$$$$ $(filter %.o,$^) $(filter %.a,$^) \
	    $(check_libs) $(LDLIBS) && mv $@.$$$$ $@

selftest: ## does the harness itself say what it should?
selftest: $(BUILD)/selftest2 $(BUILD)/selftest_empty2
	@BUILD='$(BUILD)' tests/selftest/run

# ---- the rest -----------------------------------------------------------------------------------

docs: ## the book as HTML: build/docs/html/index.html
	@command -v doxygen > /dev/null || { echo "Doxygen is not installed: run ./setup.sh" >&2; exit 1; }
	@mkdir -p build/docs.$$$$ && { cat docs/Doxyfile; echo "OUTPUT_DIRECTORY = build/docs.$$$$"; } \
	    | doxygen - > build/docs.$$$$/log && rm -rf build/docs && mv build/docs.$$$$ build/docs \
	    || { rm -rf build/docs.$$$$; exit 1; }
	@echo "build/docs/html/index.html"

check-includes: ## prove that no stage knows a later one
	@docs/check-includes

lint: ## lines, markers, chapters: what no compiler looks at
	@docs/lint

clean: ## remove build/
	rm -rf build

workbook: ## DIR=… ARCH=…  make the student's tree
hint: ## EX=…  a hint; again for a stronger one
next: ## which exercise comes next
debug: ## EX=…  open the failing check in the debugger
valgrind: ## STAGE=…  the checks under valgrind
doctor: ## what is wrong with this tree or this machine
predict: ## EX=…  answer the chapter's question
update: ## FROM=…  bring the provided files up to date
bench: ## ONLY=… QUICK=1  measure, against what is installed
bench-deps: ## install what bench compares with (Debian, Ubuntu)
	@tests/bench/deps
conformance: ## SEED=… PROGRAMS=…  compare with CPython
conformance-bugs: ## … and does that find bugs?
cross: ## … on other processors and another C library
cross-deps: ## install what cross needs (Debian, Ubuntu)
coverage-of-contract: ## each promise, and the checks that hold it
mistakes: ## do the checks find the typical mistakes?
mutants: ## … and machine-made ones?
blame: ## … and name the right exercise?

# Each of these is a script, tests/VERB or tests/VERB/run (for a-b also tests/a/b). What was given
# on the command line (EX=3.1) is in its environment; so is the variant.
delegated := workbook hint next debug valgrind doctor predict update bench conformance \
             conformance-bugs cross cross-deps coverage-of-contract mistakes mutants blame
$(delegated):
	@for script in tests/$@/run tests/$@ tests/$(subst -,/,$@); do \
	    if [ -f $$script ] && [ -x $$script ]; then \
	        case $@ in workbook | conformance-bugs | mistakes | mutants | blame) \
	            command -v python3 > /dev/null || { \
	                echo "make $@ is made with Python 3: install python3" >&2; exit 2; } ;; \
	        esac; \
	        CC='$(CC)' MAKE='$(MAKE)' BUILD='$(BUILD)' exec ./$$script; \
	    fi; \
	done; \
	echo "make $@: not in this tree" >&2; exit 1

help:
	@echo "From Yield to Select. What can be made:"
	@awk -F ': ## ' '/^[a-z0-9-]+: ## / { printf "  %-21s %s\n", $$1, $$2 }' Makefile
	@echo "Variants: CC=clang CONTEXT=ucontext SAN=address SAN=thread STRESS=1 CENSUS=1 LTO=0 V=1"

.PHONY: FORCE bench-deps help example test selftest docs check-includes lint clean $(delegated) $(addprefix stage,$(NUMBERS))
