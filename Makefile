# make               every program and library        make check     unit tests
# make asan | tsan   unit tests under a sanitizer      make fuzz      each fuzzer, FUZZ_SECONDS
# make cov           line coverage per file            make bench     benchmarks, figures as medians
# make lint          format, cppcheck, clang-tidy, shellcheck; also: make layers, make pure, make abi
# make format        clang-format in place             make install   DESTDIR, PREFIX
VERSION      := 0.1.0
PREFIX       ?= /usr/local
LIBDIR       ?= $(PREFIX)/lib
CC           ?= cc
FLAVOUR      ?= release
B            := build/$(FLAVOUR)
GEN          := build/gen
FUZZ_SECONDS ?= 10

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
        -Wcast-qual -Wvla -Wundef -Wwrite-strings -Wno-format-zero-length
ALL_CPPFLAGS := -I. -isystem $(GEN) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS    = -std=c11 -g $(WARN) -fno-common $(CFLAGS_$(FLAVOUR)) $(CFLAGS)

CFLAGS_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_asan    := -O1 -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all
CFLAGS_tsan    := -O1 -fsanitize=thread
CFLAGS_cov     := -O0 --coverage
CFLAGS_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

# msgpack-c: "msgpack" in Debian 12, "msgpack-c" from version 6 on. Debian's libev has no pkg-config file.
MSGPACK    := $(firstword $(foreach n,msgpack-c msgpack,$(if $(shell pkg-config --exists $n && echo y),$n)))
LIB_EV      := -lev
LIB_MSGPACK := $(shell pkg-config --libs $(MSGPACK) 2>/dev/null)
LIB_GRPC    := -lgrpc -lgpr
LIB_KAFKA   := -lrdkafka
LIB_HTTP    := -lmicrohttpd
LIB_JANSSON := $(shell pkg-config --libs jansson 2>/dev/null)

# Objects apart from programs: build/release/totalizer is one, totalizer/ a folder of sources.
obj = $(patsubst %,$(B)/obj/%.o,$(1))

# ---- what there is -------------------------------------------------------------------------------------------
# A program: its objects and libraries. A module belongs to one folder; a list that grows is a smell.
PROGRAMS := sidecard dev/broker dev/topic
BASE     := clock buf line log address value usage option listener door http kafka
# What reading options, logging and serving HTTP take, for the object lists below.
OPTION   := base/buf base/address base/value base/usage base/option
LOG      := base/clock base/buf base/line base/log
HTTP     := base/address base/listener base/door base/http

# The meter's room: what keeps series, what reads them, what writes them out.
METERING := hist shelf number keyvalue promname labels metric series held topic instrument lag meter red
READING  := reading expose otlp_metric
METER    := base/buf $(addprefix sidecar/,stat pool $(METERING) $(READING)) gen/otlp.pb-c

# The way in: bytes to events, events to spans and samples.
ATTRS    := utf8 pack strings attr
SPANS    := chain details assemble
DECODE   := pack scan shape decode
PEERS    := service $(sort $(DECODE) $(ATTRS) $(SPANS)) annotation peer greeting timeline traffic session

# sidecard's modules; the pure ones are checked by `make pure`.
SIDECAR_PURE  := stat pool reply backoff resource otlp_trace finish $(METERING) $(READING) $(PEERS)
SIDECAR_EDGES := account answer config export gzip identity ingest main memory pages post procfs queue systemd \
                 target unix_socket

CLIENT := batch clock emit encode event flusher intern link local pump random resource ring rings sampler sidecar span \
          traceparent whole

PROGRAMS  += totalizer
TOTALIZER := total state timestamp ledger lag message process results replica group consumer pages telemetry config main

PROGRAMS   += adder adder-call
ADDER      := authority config health main payload pem producer reflection schema server server_call status sum telemetry words
ADDER_PB   := gen/sum.pb-c gen/health.pb-c gen/reflection.pb-c gen/descriptor.pb-c
ADDER_CALL := call client load pem status summary
# Whose descriptors reflection serves.
SERVICES   := sum health reflection reflection_v1alpha

# ---- unit tests: tests/unit/test_NAME.c links exactly T_NAME (objects) and L_NAME (libraries) -------------------
TESTS :=

# base/
TESTS    += buf line log kafka option check http door
T_buf    := base/buf
T_line   := base/line base/buf
L_line   := $(LIB_JANSSON)
T_log    := $(LOG)
L_log    := $(LIB_JANSSON)
T_kafka  := base/kafka $(LOG)
L_kafka  := $(LIB_KAFKA)
T_option := $(OPTION)
T_check  := $(OPTION)
T_http   := tests/unit/turn $(HTTP) $(LOG)
L_http   := $(LIB_HTTP) $(LIB_EV)
T_door   := $(T_http)
L_door   := $(L_http)

# totalizer/
TESTS          += total state timestamp lag ledger ledger_model replica message process totalizer_pages
T_total        := totalizer/total
T_state        := totalizer/state totalizer/total
T_timestamp    := totalizer/timestamp
T_lag          := totalizer/lag
T_ledger       := totalizer/ledger totalizer/state totalizer/total
T_ledger_model := $(T_ledger)
T_replica      := totalizer/replica totalizer/results $(T_ledger) $(LOG)
T_message      := totalizer/message totalizer/timestamp
L_message      := $(LIB_JANSSON)
T_process      := totalizer/process $(sort $(T_ledger) $(T_message) $(LOG)) client/traceparent
L_process      := $(LIB_JANSSON)
T_totalizer_pages := totalizer/pages totalizer/results totalizer/total totalizer/timestamp client/traceparent $(LOG)

# sidecar/: the meter's room
TESTS       += hist labels consumer_lag red meter meter_model largest_page expose otlp_metric otlp_page
T_hist      := sidecar/hist
T_labels    := base/buf $(addprefix sidecar/,labels keyvalue number promname) gen/otlp.pb-c
L_labels    := -lprotobuf-c
T_consumer_lag := $(METER)
L_consumer_lag := -lprotobuf-c
T_red       := $(METER)
L_red       := -lprotobuf-c
T_meter     := $(METER)
L_meter     := -lprotobuf-c
T_expose    := $(METER)
L_expose    := -lprotobuf-c
T_otlp_metric := $(METER)
L_otlp_metric := -lprotobuf-c
T_otlp_page := $(METER)
L_otlp_page := -lprotobuf-c
T_meter_model := $(METER)
L_meter_model := -lprotobuf-c
T_largest_page := sidecar/service $(METER)
L_largest_page := -lprotobuf-c

# sidecar/: the way in. RIG: sessions with all behind them but the export, whose place tests/unit/rig.c takes.
CORE   := sidecar/finish sidecar/resource $(PEERS:%=sidecar/%) $(METER)
RIG    := tests/unit/rig $(CORE)
TESTS  += vectors_session vectors_decode attr attr_bytes assemble strings utf8 decode session greeting details
T_attr := tests/unit/packer $(ATTRS:%=sidecar/%) sidecar/pool sidecar/stat gen/otlp.pb-c
L_attr := -lprotobuf-c
T_attr_bytes := $(T_attr) sidecar/annotation
L_attr_bytes := -lprotobuf-c
T_assemble := tests/unit/packer $(ATTRS:%=sidecar/%) $(SPANS:%=sidecar/%) sidecar/pool sidecar/stat gen/otlp.pb-c
L_assemble := -lprotobuf-c
T_strings := sidecar/strings sidecar/pool sidecar/stat
T_utf8    := sidecar/utf8
T_decode  := tests/unit/packer $(DECODE:%=sidecar/%)
T_session := tests/unit/packer $(RIG)
L_session := -lprotobuf-c
T_greeting := tests/unit/packer $(RIG)
L_greeting := -lprotobuf-c
T_details := $(T_assemble)
L_details := -lprotobuf-c
T_vectors_session := $(RIG) tests/unit/vectors
L_vectors_session := -lprotobuf-c $(LIB_JANSSON)
T_vectors_decode  := $(T_vectors_session)
L_vectors_decode  := $(L_vectors_session)

# adder/
TESTS       += status payload authority summary health sum load
# Not under TSan: librdkafka starts its threads by thrd_create(), which gcc 12's does not know, and crashes in them.
ifneq ($(FLAVOUR),tsan)
TESTS       += producer
endif
T_status    := adder/status
T_payload   := adder/payload base/buf
T_authority := adder/authority
T_summary   := adder/summary adder/status base/buf
L_summary   := -lm
T_health    := adder/health gen/health.pb-c
L_health    := -lprotobuf-c
T_sum       := adder/sum adder/words adder/status adder/payload adder/authority client/traceparent gen/sum.pb-c $(LOG)
L_sum       := -lprotobuf-c -lpthread
T_load      := adder/load adder/summary adder/status base/buf
T_producer  := adder/producer base/kafka $(LOG)
L_producer  := $(LIB_KAFKA) -lpthread

# client/: modules one by one, then the library against a peer that decodes with msgpack-c
TESTS              += client_clock client_encode client_resource client_ring client_sampler client_traceparent \
                      client_whole client_vectors client_event client_fault client_fork client_link \
                      client_thread
CLIENT_LIVE        := $(CLIENT:%=client/%) tests/unit/client_peer tests/unit/client_event
T_client_clock     := client/clock
L_client_clock     := -lpthread
T_client_encode    := client/encode client/intern
L_client_encode    := $(LIB_MSGPACK)
T_client_resource  := client/resource client/encode
L_client_resource  := $(LIB_MSGPACK)
T_client_ring      := client/ring client/random
T_client_sampler   := client/sampler
T_client_traceparent := client/traceparent
T_client_whole     := client/whole client/encode client/intern
L_client_whole     := $(LIB_MSGPACK)
T_client_vectors   := $(CLIENT:%=client/%) tests/unit/client_canonical tests/unit/client_say tests/unit/vectors
L_client_vectors   := $(LIB_MSGPACK) $(LIB_JANSSON)
T_client_event     := $(CLIENT_LIVE)
T_client_fault     := $(CLIENT_LIVE)
T_client_fork      := $(CLIENT_LIVE)
T_client_link      := $(CLIENT_LIVE)
T_client_thread    := $(CLIENT_LIVE)
L_client_event     := $(LIB_MSGPACK)
L_client_fault     := $(LIB_MSGPACK) -Wl,--wrap=mmap,--wrap=pthread_create,--wrap=socket \
                      -Wl,--wrap=eventfd,--wrap=aligned_alloc,--wrap=send
L_client_fork      := $(LIB_MSGPACK) -Wl,--wrap=connect,--wrap=close
L_client_link      := $(LIB_MSGPACK)
L_client_thread    := $(LIB_MSGPACK)

# ---- fuzzers: tests/fuzz/fuzz_NAME.c links F_NAME; corpus in tests/fuzz/corpus/NAME ------------------------------
FUZZERS := decode session
F_decode   := $(DECODE:%=sidecar/%)
F_session  := $(RIG)
FL_session := -lprotobuf-c

# ---- benchmarks: tests/bench/bench_NAME.c links B_NAME and BL_NAME -------------------------------------------------
BENCHES := core meter
BENCHES   += client
B_client  := tests/bench/packed tests/bench/peer $(CLIENT:%=client/%)
BL_client := $(LIB_MSGPACK) -lpthread
B_meter := $(METER)
BL_meter := -lprotobuf-c
B_core  := $(RIG)
BL_core := -lprotobuf-c $(LIB_MSGPACK)

# ---- rules -----------------------------------------------------------------------------------------------------
all: $(PROGRAMS:%=$(B)/%) $(B)/libsidecar.a $(B)/libsidecar.so.1

# Generated protobuf-c code is never committed; every object waits for all of it.
PROTOS   := $(wildcard protocol/*.proto)
PBC_C    := $(PROTOS:protocol/%.proto=$(GEN)/%.pb-c.c)
PBC_O    := $(PROTOS:protocol/%.proto=$(B)/obj/gen/%.pb-c.o)

$(GEN)/%.pb-c.c $(GEN)/%.pb-c.h: protocol/%.proto
	@mkdir -p $(GEN)
	protoc-c -Iprotocol --c_out=$(GEN) $<
$(GEN)/%_pb2.py: protocol/%.proto # for dev/sink
	@mkdir -p $(GEN)
	protoc -Iprotocol --python_out=$(GEN) $<
$(B)/obj/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) -std=c11 -g $(CFLAGS_$(FLAVOUR)) $(CFLAGS) -c -o $@ $<
$(B)/obj/%.o: %.c Makefile | $(PBC_C)
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# libsidecar. In the static one, too, only the public names are to be seen: a program may have the others itself.
CLIENT_O := $(call obj,$(CLIENT:%=client/%))
$(CLIENT_O): ALL_CFLAGS += -fPIC -fvisibility=hidden
$(B)/obj/libsidecar.o: $(CLIENT_O)
	$(LD) -r -o $@ $^
	objcopy --localize-hidden $@
$(B)/libsidecar.a: $(B)/obj/libsidecar.o
	rm -f $@
	$(AR) rcs $@ $^
$(B)/libsidecar.so.1: $(CLIENT_O) client/libsidecar.map
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libsidecar.so.1 -Wl,-z,nodelete \
	  -Wl,--version-script=client/libsidecar.map -o $@ $(CLIENT_O) -lpthread
# The symbol map, the header and both libraries name the same functions.
abi: $(B)/libsidecar.a $(B)/libsidecar.so.1
	@sed -n 's/^\t\(sidecar_[a-z_]*\);$$/\1/p' client/libsidecar.map | sort >$(B)/abi.map
	@grep -v '^#' client/sidecar.h | tr '\n' ' ' | grep -oE 'SIDECAR_API [^(]*\(' | sed 's/.*[ *]\(.*\)($$/\1/' | sort >$(B)/abi.header
	@nm -D --defined-only $(B)/libsidecar.so.1 | awk '$$2 != "A" { sub(/@.*/, "", $$3); print $$3 }' | sort >$(B)/abi.shared
	@nm -g --defined-only $(B)/libsidecar.a | awk 'NF == 3 { print $$3 }' | sort >$(B)/abi.static
	@for f in header shared static; do diff -u $(B)/abi.map $(B)/abi.$$f || exit 1; done

SIDECARD_O := $(call obj,$(SIDECAR_PURE:%=sidecar/%) $(SIDECAR_EDGES:%=sidecar/%) gen/otlp.pb-c \
              $(sort $(OPTION) $(LOG) $(HTTP)))
$(B)/sidecard: $(SIDECARD_O)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_EV) $(LIB_HTTP) -lcurl -ldeflate -lprotobuf-c -lm

# The demo's and the tests' Kafka: librdkafka's mock cluster.
$(B)/dev/broker: $(call obj,dev/broker $(sort $(OPTION) $(LOG)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_KAFKA)

# What creates the topic on a real one.
$(B)/dev/topic: $(call obj,dev/topic base/kafka $(sort $(OPTION) $(LOG)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_KAFKA)

$(B)/totalizer: $(call obj,$(TOTALIZER:%=totalizer/%) $(BASE:%=base/%)) $(B)/libsidecar.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_EV) $(LIB_HTTP) $(LIB_KAFKA) $(LIB_JANSSON) -lpthread

$(B)/adder: $(call obj,$(ADDER:%=adder/%) $(ADDER_PB) $(BASE:%=base/%)) $(B)/libsidecar.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_EV) $(LIB_HTTP) $(LIB_KAFKA) $(LIB_GRPC) -lprotobuf-c -lpthread
$(B)/adder-call: $(call obj,$(ADDER_CALL:%=adder/%) gen/sum.pb-c $(sort $(OPTION) $(LOG)))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_GRPC) -lprotobuf-c
# The descriptors as the inside of a C array.
$(GEN)/services.inc: $(SERVICES:%=protocol/%.proto)
	@mkdir -p $(GEN)
	protoc-c -Iprotocol --include_imports --descriptor_set_out=$(@:.inc=.desc) $^
	od -An -v -tu1 $(@:.inc=.desc) | sed 's/ *\([0-9][0-9]*\)/\1,/g' >$@
$(call obj,adder/schema): $(GEN)/services.inc

TESTS        += resource otlp_trace reply queue target finish unix_socket
T_unix_socket := sidecar/unix_socket sidecar/systemd
T_reply      := sidecar/reply sidecar/answer sidecar/backoff sidecar/gzip gen/otlp.pb-c
L_reply      := -lprotobuf-c -ldeflate
T_queue      := sidecar/queue sidecar/account sidecar/stat
T_target     := sidecar/target sidecar/identity sidecar/utf8 base/address base/buf
T_finish     := sidecar/finish sidecar/stat gen/otlp.pb-c
L_finish     := -lprotobuf-c
T_resource   := sidecar/resource sidecar/pool sidecar/stat
T_otlp_trace := sidecar/otlp_trace sidecar/resource sidecar/pool sidecar/stat base/buf gen/otlp.pb-c
L_otlp_trace := -lprotobuf-c

define test_rule
$(B)/tests/unit/test_$(1): $(call obj,tests/unit/test_$(1) $(T_$(1)))
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(L_$(1)) -lcmocka
endef
$(foreach t,$(TESTS),$(eval $(call test_rule,$(t))))

define fuzz_rule
$(B)/tests/fuzz/fuzz_$(1): $(call obj,tests/fuzz/fuzz_$(1) $(F_$(1)))
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(FL_$(1))
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzz_rule,$(f))))

BENCHES    += sidecard
B_sidecard := tests/bench/daemon tests/bench/stream $(CLIENT:%=client/%)
BL_sidecard := -lpthread

define bench_rule
$(B)/tests/bench/bench_$(1): $(call obj,tests/bench/bench_$(1) $(B_$(1)))
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(BL_$(1))
endef
$(foreach b,$(BENCHES),$(eval $(call bench_rule,$(b))))

list-unit: ; @echo $(TESTS:%=$(B)/tests/unit/test_%)
list-fuzzers: ; @echo $(FUZZERS)
check: $(TESTS:%=$(B)/tests/unit/test_%)
	@for t in $^; do $$t 2>$$t.log && echo "ok   $${t##*/test_}" || \
	  { cat $$t.log; echo "FAIL $${t##*/test_}"; f=1; }; done; exit $${f:-0}
asan tsan: ; $(MAKE) FLAVOUR=$@ check
cov: ; $(MAKE) FLAVOUR=cov check && gcov -n -o build/cov/obj/sidecar build/cov/obj/sidecar/*.o | grep -A1 "^File '"
fuzz: ; $(MAKE) FLAVOUR=fuzz CC=clang run-fuzz
run-fuzz: $(FUZZERS:%=$(B)/tests/fuzz/fuzz_%)
	@for f in $(FUZZERS); do mkdir -p $(B)/corpus/$$f; $(B)/tests/fuzz/fuzz_$$f \
	  -max_total_time=$(FUZZ_SECONDS) $(B)/corpus/$$f tests/fuzz/corpus/$$f >$(B)/fuzz_$$f.log 2>&1 \
	  && tail -1 $(B)/fuzz_$$f.log || { cat $(B)/fuzz_$$f.log; exit 1; }; done
bench: $(BENCHES:%=$(B)/tests/bench/bench_%) all
	@for b in $(BENCHES); do $(B)/tests/bench/bench_$$b || exit 1; done

# Folders may include only what CONTRIBUTING.md's table says; inside sidecar/ LAYERS rules.
layers:
	@awk -f dev/layers.awk sidecar/LAYERS $(wildcard */*.[ch])
# What the pure modules call beside each other: nothing that waits, allocates, logs or reads a clock.
PURE_O  := $(call obj,$(SIDECAR_PURE:%=sidecar/%) base/buf base/line gen/otlp.pb-c)
PURE_OK := mem(cpy|move|set|cmp|chr)|bcmp|str(n?cmp|n?len|r?chr|c?spn|tod)|v?snprintf|(__[a-z]*_chk(_fail)?)|protobuf_c_.*
pure: $(PURE_O)
	@nm -A -g $^ | awk '$$(NF-1) == "U" && $$1 !~ /\/gen\// { from[$$NF] = $$1 } $$(NF-1) != "U" { has[$$NF] } END { for (s in from) \
	  if (!(s in has) && s !~ /^($(PURE_OK)|_GLOBAL_OFFSET_TABLE_)$$/) { print from[s], s; bad = 1 } exit bad }'
SOURCES = $(wildcard */*.[ch] tests/*/*.[ch] client/examples/*.c)
format: ; clang-format -i $(SOURCES)
# clang-tidy reads the programs, not the tests; one file at a time, as many at once as make -j says.
TIDY := $(patsubst %,tidy/%,$(wildcard base/*.c client/*.c sidecar/*.c adder/*.c totalizer/*.c dev/*.c))
$(TIDY): tidy/%: $(PBC_C) $(GEN)/services.inc ; @clang-tidy --quiet $* -- $(ALL_CPPFLAGS) -std=c11 2>/dev/null
lint: $(TIDY)
	clang-format --dry-run -Werror $(SOURCES)
	cppcheck -q --error-exitcode=1 --inline-suppr --std=c11 -I. base client sidecar adder totalizer dev
	shellcheck $$(grep -lrE '^#!.*\b(ba)?sh' dev .ci)
	@wc -l $(SOURCES) $(wildcard */*.py */*/*.py) $$(grep -lrE '^#!' dev .ci) | awk '$$2 != "total" && $$1 > ($$2 ~ /\.h$$/ ? 120 : 400) { \
	  print $$2 ": " $$1 " lines"; bad = 1 } END { exit bad }'
	mandoc -Tlint -Wwarning $(wildcard */*.[1-9])

# What a folder installs is a target of its own.
install: install-client install-sidecard install-totalizer install-adder
D = $(DESTDIR)$(1)
install-client: $(B)/libsidecar.a $(B)/libsidecar.so.1
	install -d $(call D,$(PREFIX)/include) $(call D,$(LIBDIR)/pkgconfig) $(call D,$(PREFIX)/share/man/man3)
	install -m 644 client/sidecar.h client/sidecar_types.h $(call D,$(PREFIX)/include)
	install -m 644 $(B)/libsidecar.a $(call D,$(LIBDIR))
	install -m 755 $(B)/libsidecar.so.1 $(call D,$(LIBDIR)/libsidecar.so.$(VERSION))
	ln -sf libsidecar.so.$(VERSION) $(call D,$(LIBDIR)/libsidecar.so.1)
	ln -sf libsidecar.so.1 $(call D,$(LIBDIR)/libsidecar.so)
	sed 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(LIBDIR)|;s|@VERSION@|$(VERSION)|' client/libsidecar.pc.in \
	  >$(call D,$(LIBDIR)/pkgconfig/libsidecar.pc)
	install -m 644 client/sidecar.3 $(call D,$(PREFIX)/share/man/man3)

install-sidecard: $(B)/sidecard
	install -d $(call D,$(PREFIX)/bin) $(call D,$(PREFIX)/share/man/man8) $(call D,$(PREFIX)/lib/systemd/system)
	install -m 755 $(B)/sidecard $(call D,$(PREFIX)/bin)
	install -m 644 sidecar/sidecard.8 $(call D,$(PREFIX)/share/man/man8)
	install -m 644 sidecar/sidecard.socket $(call D,$(PREFIX)/lib/systemd/system)
	sed 's|@PREFIX@|$(PREFIX)|' sidecar/sidecard.service.in >$(call D,$(PREFIX)/lib/systemd/system/sidecard.service)

install-totalizer: $(B)/totalizer
	install -d $(call D,$(PREFIX)/bin) $(call D,$(PREFIX)/share/man/man8)
	install -m 755 $(B)/totalizer $(call D,$(PREFIX)/bin)
	install -m 644 totalizer/totalizer.8 $(call D,$(PREFIX)/share/man/man8)

install-adder: $(B)/adder $(B)/adder-call
	install -d $(call D,$(PREFIX)/bin) $(call D,$(PREFIX)/share/man/man8)
	install -m 755 $(B)/adder $(B)/adder-call $(call D,$(PREFIX)/bin)
	install -m 644 adder/adder.8 $(call D,$(PREFIX)/share/man/man8)
	ln -sf adder.8 $(call D,$(PREFIX)/share/man/man8/adder-call.8)

clean: ; rm -rf build
.PHONY: $(TIDY) all list-unit list-fuzzers check asan tsan cov fuzz run-fuzz bench lint layers pure abi format install install-client install-sidecard install-totalizer install-adder clean
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find build -name '*.d' 2>/dev/null)
