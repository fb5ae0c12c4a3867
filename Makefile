# preftools: one Makefile for everything.
#
#	make deps demo      install what is needed, build, run examples/sentiment
#	make deps check     install what is needed, build, run all tests
#
# FLAVOUR=release|asan|tsan chooses build/FLAVOUR/; CC=clang the other compiler; PREFIX and DESTDIR where
# `make install` puts programs and man pages. Object code runs on any x86-64 or arm64: the kernels in
# lib/num/simd/ are compiled once for each instruction set below and chosen when a program starts.

VERSION = 0.1.0
FLAVOUR = release
PREFIX  = /usr/local
CFLAGS  = -O3 -g
PYTHON  = /usr/bin/python3

B = build/$(FLAVOUR)

FLAVOUR_release =
FLAVOUR_asan    = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAVOUR_tsan    = -O1 -fsanitize=thread

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef
PACKAGES = zlib libdeflate libcjson libpcre2-8 libutf8proc
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DPREFTOOLS_VERSION='"$(VERSION)"' -DPCRE2_CODE_UNIT_WIDTH=8 -Ilib -I. \
	$(WARNINGS) $(CFLAGS) $(FLAVOUR_$(FLAVOUR)) -fopenmp -pthread $(shell pkg-config --cflags $(PACKAGES))
LIBS = $(shell pkg-config --libs $(PACKAGES)) -lm

# Instruction sets for lib/num/simd/.
ISAS = base
ISA_base =
ifeq ($(shell uname -m),x86_64)
ISAS += v3 v4
ISA_v3 = -mavx2 -mfma -mf16c -mbmi2
ISA_v4 = $(ISA_v3) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
endif

PROGRAMS  := $(patsubst cmd/%.c,%,$(filter-out cmd/cmd_%,$(wildcard cmd/*.c)))
SIMD_SRC  := $(wildcard lib/num/simd/*.c)
LIB_OBJ   := $(patsubst %.c,$B/%.o,$(wildcard lib/*/*.c cmd/cmd_*.c)) \
	$(foreach isa,$(ISAS),$(patsubst %.c,$B/%.$(isa).o,$(SIMD_SRC)))
TESTS     := $(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/test_*.c))
BENCHES   := $(patsubst tests/bench/%.c,$B/bench/%,$(wildcard tests/bench/*.c))
ORACLE    := $(patsubst tests/oracle/%.c,$B/oracle/%,$(wildcard tests/oracle/*.c))
BIN       := $(addprefix $B/bin/,$(PROGRAMS))

all: $(BIN)

$B/libpreftools.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define simd_rule
$B/lib/num/simd/%.$(1).o: lib/num/simd/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(ISA_$(1)) -ffp-contract=fast -fno-math-errno -Wno-psabi -DISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call simd_rule,$(isa))))

$(BIN): $B/bin/%: $B/cmd/%.o $B/libpreftools.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(TESTS): $B/tests/%: $B/tests/unit/%.o $(patsubst %.c,$B/%.o,$(wildcard tests/unit/support/*.c)) $B/libpreftools.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(BENCHES): $B/bench/%: $B/tests/bench/%.o $(patsubst %.c,$B/%.o,$(wildcard tests/bench/support/*.c)) $B/libpreftools.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -ldnnl

$(ORACLE): $B/oracle/%: $B/tests/oracle/%.o $B/libpreftools.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

-include $(shell find $B -name '*.d' 2>/dev/null)
.SECONDARY:

# ---- tests

# Benches are built too, so that they can still be run when they are wanted.
check: unit e2e $(BENCHES)

unit: $(TESTS)
	prove --timer --exec 'sh tests/unit/tap.sh' $(sort $(TESTS))

e2e: all $(ORACLE)
	BIN=$(abspath $B/bin) ORACLE=$(abspath $B/oracle) PYTHON=$(PYTHON) prove --timer --exec sh $(sort $(wildcard tests/e2e/*.t))

bench: all $(BENCHES)
	BIN=$(abspath $B/bin) BENCH=$(abspath $B/bench) PYTHON=$(PYTHON) sh tests/bench/run.sh

# How cost grows, as SCALE.csv and SCALE.svg: see tests/bench/scale.py.
SCALE = $B/scale
bench-scale: all $(BENCHES)
	$(PYTHON) -B tests/bench/scale.py $B/bin $B/bench $(SCALE).csv
	$B/bench/scale_chart $(SCALE).csv > $(SCALE).svg

demo: all
	$(MAKE) -C examples/sentiment BIN=$(abspath $B/bin)

# ---- dependencies: names of Debian's packages

DEPS = gcc make pkg-config zlib1g-dev libdeflate-dev libcjson-dev libdnnl-dev libpcre2-dev libutf8proc-dev libcmocka-dev \
	perl python3 mandoc
deps:
	@missing=; for p in $(DEPS); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "deps: no apt-get here; install what Debian calls:$$missing" >&2; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then as=; elif command -v sudo >/dev/null; then as=sudo; else \
		echo "deps: as root: apt-get install$$missing" >&2; exit 1; fi; \
	$$as apt-get update -q && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing

ifneq ($(filter deps,$(MAKECMDGOALS)),)
$(LIB_OBJ) $(BIN) $(TESTS): | deps
all check unit e2e demo bench bench-scale: | deps
endif

# ---- installation

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7
	install $(BIN) $(DESTDIR)$(PREFIX)/bin
	for s in 1 5 7; do install -m 644 man/*.$$s $(DESTDIR)$(PREFIX)/share/man/man$$s; done

uninstall:
	cd $(DESTDIR)$(PREFIX)/bin && rm -f $(PROGRAMS)
	cd $(DESTDIR)$(PREFIX)/share/man && rm -f $(foreach p,$(wildcard man/*),man$(lastword $(subst ., ,$p))/$(notdir $p))

clean:
	rm -rf build

.PHONY: all check unit e2e bench bench-scale demo deps install uninstall clean
