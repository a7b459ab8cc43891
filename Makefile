# luabox: see `make help`.

# == SETTINGS ==

CC ?= cc
CFLAGS ?= -O2 -g
LDFLAGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
BUSYBOX ?= /bin/busybox
V ?=
WERROR ?=
SANITIZE ?=
FUZZ_SECONDS ?= 600

# == END OF SETTINGS. NO NEED TO CHANGE ANYTHING BELOW THIS LINE ==

LUA = lua5.4
say = $(if $(V),,@echo "  $@";)# V=1 shows the commands
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	   -Wno-missing-field-initializers -Wno-format-zero-length $(if $(WERROR),-Werror)
SANITIZER = $(if $(SANITIZE),-fsanitize=address$(,)undefined$(FUZZER) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
, = ,
VERSION := $(shell sed -n 's/^return "\(.*\)"$$/\1/p' lua/luabox/version.lua)
ALL_CPPFLAGS = -D_GNU_SOURCE -DLUABOX_VERSION='"$(VERSION)"' -DBUSYBOX='"$(BUSYBOX)"' -Isrc -I$(BUILD) -I/usr/include/lua5.4 -I/usr/include/libnl3 $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 -fPIC -fvisibility=hidden -fno-common -ffunction-sections -fdata-sections $(WARNINGS) $(SANITIZER) -MMD -MP $(CFLAGS)

# The program carries its libraries, so that it runs after being copied alone and starts without
# their relocations; libmnl has no static form in Debian.
# Only Lua's own functions are exported, for C modules: a module that brings its own libnl gets that.
STATIC = -l:libnl-route-3.a -l:libnl-3.a -l:libnftnl.a -lmnl -l:libseccomp.a \
	 -l:libedit.a -l:libtinfo.a -l:libbsd.a -l:libmd.a -l:liblua5.4.a -lm -ldl -lpthread
SHARED = -lnl-route-3 -lnl-3 -lnftnl -lmnl -lseccomp

KERNEL = \
	address \
	archive \
	calls \
	capability \
	capability_hint \
	cgroup \
	cgroup_layout \
	cgroup_limits \
	cgroup_parent \
	cgroup_parent_choose \
	cgroup_read \
	cgroup_tree \
	child \
	clone \
	clone_stack \
	close_fds \
	detective_holder \
	detective_id \
	detective_link \
	detective_mount \
	detective_namespace \
	detective_overlay \
	detective_root \
	detective_system \
	exec \
	fault \
	file \
	file_copy \
	fscontext \
	guard \
	idmap \
	init \
	ipc \
	journal \
	keep_contents \
	keep_handle \
	keep_message \
	keep_net \
	keep_serve \
	keep_sysctl \
	keep_undo \
	keeper \
	lack \
	library \
	limits \
	link \
	look \
	mount \
	mount_plain \
	mountinfo \
	namespace \
	neighbour \
	netaddr \
	netlink \
	netlink_check \
	netns_socket \
	newroot \
	newroot_overlay \
	newroot_plain \
	nft_batch \
	nft_decode \
	nft_hint \
	nft_list \
	nft_object \
	nft_rule \
	nft_value \
	nft_xtables \
	nsscan \
	path \
	pcap \
	pcap_file \
	pipe \
	port \
	port_holder \
	probe \
	probe_echo \
	procfs \
	rootfs \
	rootfs_image \
	route \
	rule \
	seccomp \
	seccomp_compile \
	seccomp_default \
	seccomp_profile \
	signal \
	spawn \
	steps \
	steps_file \
	system \
	tar \
	tar_entry \
	tar_meta \
	tar_place \
	user \
	util \
	wait

BINDING = \
	buffer \
	capability \
	cgroup \
	cgroup_layout \
	cgroup_limits \
	cgroup_stat \
	error \
	fd \
	file \
	file_copy \
	handle \
	ipc \
	keeper \
	keeper_claim \
	keeper_journal \
	mount \
	mount_detached \
	namespace \
	namespace_scan \
	net \
	net_address \
	net_field \
	net_icmp \
	net_link \
	net_link_list \
	net_link_words \
	net_neighbour \
	net_option \
	net_route \
	net_rule \
	nft \
	nft_element \
	nft_list \
	nft_nat \
	nft_rule \
	nft_words \
	options \
	pcap \
	port \
	probe \
	process \
	process_body \
	process_guard \
	process_io \
	process_options \
	process_steps \
	rootfs \
	seccomp \
	signal \
	system \
	system_calls \
	table \
	tar \
	value \
	wait

PROGRAM = \
	main \
	program_calls \
	program_modules \
	program_options \
	program_os \
	program_report \
	program_signals \
	program_state \
	prompt \
	prompt_history

MODULES = \
	luabox \
	luabox.address \
	luabox.address_pool \
	luabox.columns \
	luabox.command_line \
	luabox.complete \
	luabox.confinement \
	luabox.container \
	luabox.container_description \
	luabox.container_process \
	luabox.container_running \
	luabox.doctor \
	luabox.doctor_features \
	luabox.doctor_host \
	luabox.doctor_look \
	luabox.doctor_try \
	luabox.drawing \
	luabox.elf \
	luabox.endpoint \
	luabox.enter \
	luabox.error \
	luabox.free_subnet \
	luabox.gateway \
	luabox.gc \
	luabox.iptables \
	luabox.iptables_listing \
	luabox.iptables_parse \
	luabox.iptables_rule \
	luabox.iptables_values \
	luabox.iptables_vocabulary \
	luabox.iptables_words \
	luabox.json \
	luabox.keeper \
	luabox.limits \
	luabox.ls \
	luabox.map \
	luabox.map_command \
	luabox.map_dot \
	luabox.map_join \
	luabox.map_lines \
	luabox.map_names \
	luabox.map_nat \
	luabox.map_part \
	luabox.map_read \
	luabox.map_rows \
	luabox.map_text \
	luabox.missing_library \
	luabox.mount \
	luabox.names \
	luabox.nat \
	luabox.nat_diagnose \
	luabox.nat_entries \
	luabox.nat_forward \
	luabox.nat_publish \
	luabox.nat_rules \
	luabox.nat_switch \
	luabox.nat_table \
	luabox.nat_words \
	luabox.net_place \
	luabox.network \
	luabox.ns \
	luabox.ns_find \
	luabox.ns_look \
	luabox.option_kinds \
	luabox.options \
	luabox.overlay \
	luabox.pcap \
	luabox.pcap_decode \
	luabox.pcap_reader \
	luabox.pcap_text \
	luabox.pcap_transport \
	luabox.pingall \
	luabox.port_map \
	luabox.probe \
	luabox.probe_loop \
	luabox.probe_ping \
	luabox.probe_stream \
	luabox.proc_text \
	luabox.program_files \
	luabox.random \
	luabox.root \
	luabox.rootfs \
	luabox.rootfs_place \
	luabox.rootfs_programs \
	luabox.rootfs_tar \
	luabox.route_list \
	luabox.scope \
	luabox.show \
	luabox.units \
	luabox.version

OBJECTS = $(KERNEL:%=$(BUILD)/kernel/%.o) $(BINDING:%=$(BUILD)/binding/%.o)
PROGRAM_OBJECTS = $(PROGRAM:%=$(BUILD)/%.o)
# luabox.net is lua/luabox/net.lua; luabox itself lua/luabox/init.lua
C_TESTS = $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(wildcard tests/c/*_test.c))
FUZZ_TARGETS = $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_COMMON = $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%.o,$(filter-out %_fuzz.c,$(wildcard tests/fuzz/*.c)))
C_FILES = $(wildcard src/*.[ch] src/*/*.[ch] tests/*/*.[ch] tools/*.c)
HEADERS = $(filter %.h,$(C_FILES))
FLOORS = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
LINTED = $(patsubst %.c,$(BUILD)/%.tidy,$(filter %.c,$(C_FILES)))
GENERATED = $(BUILD)/busybox_applets.h $(BUILD)/embedded.h $(BUILD)/seccomp_default.h
TO = $(DESTDIR)$(PREFIX)
LUA_FILES = $(patsubst luabox.%,lua/luabox/%.lua,$(filter luabox.%,$(MODULES))) lua/luabox/init.lua

all: $(BUILD)/luabox $(BUILD)/luabox.so ## build the program and luabox.so (the default)

# At a fixed address: 4000 relocations and the pages that they touch are a tenth of the program's start.
$(BUILD)/luabox: $(PROGRAM_OBJECTS) $(OBJECTS) src/program.symbols
	$(say)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -no-pie -Wl,--dynamic-list=src/program.symbols -Wl,--gc-sections \
		-Wl,--as-needed -o $@ $(filter %.o,$^) $(STATIC)

$(BUILD)/luabox.so: $(OBJECTS)
	$(say)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,--as-needed -o $@ $^ $(SHARED)

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	$(say)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/main.o: lua/luabox/version.lua

$(BUILD)/embedded.h: tools/embed.lua tools/bytecode.lua Makefile $(LUA_FILES)
	@mkdir -p $(@D)
	$(say)$(LUA) tools/embed.lua $@ $(MODULES)

$(BUILD)/program_modules.o: $(BUILD)/embedded.h

# The default filter is compiled here and not at every start.
$(BUILD)/seccomp_default: tools/seccomp_default.c src/kernel/seccomp.c src/kernel/seccomp_compile.c \
		src/kernel/seccomp_profile.c src/kernel/fault.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LDFLAGS) -o $@ $^ -lseccomp

$(BUILD)/seccomp_default.h: $(BUILD)/seccomp_default
	$(BUILD)/seccomp_default > $@.new && mv $@.new $@

$(BUILD)/kernel/seccomp_default.o: $(BUILD)/seccomp_default.h

# The default root of containers is the machine's busybox (Debian's busybox-static), with its own list of applets.
$(BUILD)/busybox_applets.h: $(BUSYBOX)
	@mkdir -p $(@D)
	$(BUSYBOX) --list | grep -vx 'busybox\|linuxrc' | sed 's/.*/"&\\0"/' > $@.new && mv $@.new $@

$(BUILD)/kernel/rootfs_image.o: $(BUSYBOX) $(BUILD)/busybox_applets.h

$(BUILD)/tests/%: tests/c/%.c $(OBJECTS)
	@mkdir -p $(@D)
	$(say)$(CC) $(ALL_CPPFLAGS) -Itests/c $(ALL_CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $< $(OBJECTS) $(STATIC)

$(BUILD)/tests/lacking: tests/c/lacking.c
	@mkdir -p $(@D)
	$(say)$(CC) -D_GNU_SOURCE $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< -lseccomp

# Its allocations fail one after the other.
$(BUILD)/tests/oom_test: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup \
	-Wl,--wrap=asprintf,--wrap=vasprintf,--wrap=__getdelim,--wrap=realpath,--wrap=fopen,--wrap=fdopen \
	-Wl,--wrap=opendir,--wrap=fdopendir

# luabox with calls that fail: the functions of libc that tests/c/inject.c names come to it first.
INJECTED = $(shell sed -n 's/^CALL.\([a-z0-9_]*\),.*/-Wl,--wrap=\1/p' tests/c/inject.c)

$(BUILD)/tests/inject.o: tests/c/inject.c
	@mkdir -p $(@D)
	$(say)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/tests/luabox-inject: $(PROGRAM_OBJECTS) $(OBJECTS) $(BUILD)/tests/inject.o src/program.symbols
	$(say)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -no-pie -Wl,--dynamic-list=src/program.symbols $(INJECTED) \
		-Wl,--as-needed -o $@ $(filter %.o,$^) $(STATIC)

$(BUILD)/fuzz/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(say)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# What the kernel and the files of /proc say is played to them.
$(FUZZ_TARGETS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/%_fuzz.o $(FUZZ_COMMON) $(OBJECTS)
	$(say)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -Wl,--as-needed \
		-Wl,--wrap=send,--wrap=sendto,--wrap=recv,--wrap=recvfrom,--wrap=recvmsg \
		-Wl,--wrap=open,--wrap=fopen,--wrap=util_read_file,--wrap=util_write_file -o $@ $^ $(STATIC)

$(BUILD)/fuzz/nft: LDFLAGS += -Wl,--wrap=__abi_breakage

# Static, as a floor is: it has nothing to look for when it starts.
$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(say)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -static $(LDFLAGS) -o $@ $<

# libmnl has no static form
$(BUILD)/bench/floor_nft: tests/bench/floor_nft.c
	@mkdir -p $(@D)
	$(say)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -l:libnftnl.a -lmnl

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | sort | expand -t 14

demo: ## install what is missing, build, run recipes/lan.lua
	vendor/install build
	@$(MAKE) --no-print-directory all
	$(BUILD)/luabox recipes/lan.lua

# == Tests ==

tests: all $(C_TESTS) $(BUILD)/tests/luabox-inject $(BUILD)/tests/lacking $(BUILD)/tests/kill_at

check: ## install what the tests need, build, run every test, under luabox and lua5.4
	@vendor/install build test
	@$(MAKE) --no-print-directory tests
	@tests/run --build $(BUILD)

check-unit: tests ## run the tests that need no privilege
	@tests/run --build $(BUILD) $(wildcard tests/unit/*_spec.lua)

check-lua54: tests ## run the Lua tests under lua5.4 with luabox.so only
	@tests/run --build $(BUILD) --under lua5.4

debian: ## make the root of Debian's packages that tests/root/debian_spec.lua unpacks, which is skipped without it
	@vendor/install debian
	@tests/debian $(BUILD)

check-vm: ## run the kernel specs on Debian's own kernel in a virtual machine (MODE=v2 SPECS=…: only these)
	@vendor/install build test vm
	@$(MAKE) --no-print-directory tests
	@tests/vm/run --build $(BUILD) --mode $(or $(MODE),every) $(SPECS)

vm: ## a shell in that machine, with luabox in the PATH (MODE=hybrid: see tests/vm/run)
	@vendor/install build vm
	@$(MAKE) --no-print-directory tests
	@tests/vm/run --build $(BUILD) --mode $(or $(MODE),v2) --shell

asan: ## build into build-asan with the address and undefined behaviour sanitizers, run every test there
	@$(MAKE) --no-print-directory BUILD=build-asan SANITIZE=1 CFLAGS="-O1 -g" tests
	@UBSAN_OPTIONS=print_stacktrace=1 LUABOX_TIMEOUT=600 LUABOX_KILLS=20 tests/run --build build-asan --under luabox

# They take a part of what they can try, and with LUABOX_SOAK=1 all of it.
SOAKED = \
	tests/root/kill_spec.lua \
	tests/root/soak_spec.lua \
	tests/root/sweep_spec.lua \
	tests/c/oom_test.c

check-lacking: tests ## run the tests as on kernels that lack system calls
	@tests/lacking --build $(BUILD)

soak: ## run whole the tests of which check and check-vm take a part (a day)
	@vendor/install build test vm
	@$(MAKE) --no-print-directory tests
	@LUABOX_SOAK=1 LUABOX_TIMEOUT=86400 tests/run -v --build $(BUILD) --under luabox $(SOAKED)
	@LUABOX_SOAK=1 tests/lacking --build $(BUILD)
	@tests/vm/run --build $(BUILD) --mode every --all

coverage: ## count the lines that the tests run, in build-coverage: prints a table, lists those that never run
	@vendor/install build test coverage
	@$(MAKE) --no-print-directory BUILD=build-coverage CC=clang CFLAGS="-O0 -g -fcoverage-mapping \
		-fprofile-instr-generate=$(CURDIR)/build-coverage/coverage/c/%m%c.profraw -mllvm -runtime-counter-relocation" tests
	@tests/coverage/run build-coverage

fuzz: ## give random bytes and tables to all that reads others' for FUZZ_SECONDS (600), in build-fuzz
	@vendor/install build fuzz
	@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang SANITIZE=1 FUZZER=,fuzzer-no-link CFLAGS="-O1 -g" fuzz-programs
	@tests/fuzz/run --build build-fuzz --seconds $(FUZZ_SECONDS)

fuzz-programs: all $(FUZZ_TARGETS)

bench: all ## compare with bare C floors and with peers (installs them)
	vendor/install bench
	@$(MAKE) --no-print-directory $(FLOORS)
	tests/bench/run $(BUILD)

lint: ## clang-format, clang-tidy, luacheck (what they need: vendor/install lint)
	@clang-format --dry-run -Werror $(C_FILES)
	@$(MAKE) --no-print-directory $(LINTED)
	luacheck -q lua $(wildcard recipes) tests tools

# clang-tidy takes a second for a file: its result stands until the file or a header changes.
$(BUILD)/%.tidy: %.c $(HEADERS) .clang-tidy $(GENERATED)
	@mkdir -p $(@D)
	$(say)clang-tidy --quiet $< -- $(ALL_CPPFLAGS) -std=gnu11 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

docs: all ## make the API pages in build/docs; fails if an exported function has no doc comment, or from-shell.md is old
	@$(LUA) tools/check_docs.lua $(wildcard src/binding/*.c) $(wildcard lua/luabox/*.lua)
	@$(LUA) tools/from_shell.lua $(BUILD)/from-shell.md
	@cmp -s $(BUILD)/from-shell.md docs/guide/from-shell.md || \
		{ echo "docs/guide/from-shell.md is not what the recipes say; run make from-shell"; exit 1; }
	@mkdir -p $(BUILD)/docs/style # ldoc would put its own files in /tmp, and leave them there
	@$(LUA) -e 'io.write(require "ldoc.html.ldoc_pale_css")' >$(BUILD)/docs/style/ldoc.css
	@$(LUA) -e 'io.write(require "ldoc.html.ldoc_ltp")' >$(BUILD)/docs/style/ldoc.ltp
	ldoc --quiet --fatalwarnings --config docs/config.ld --dir $(abspath $(BUILD))/docs/api \
		--style $(abspath $(BUILD))/docs/style --template $(abspath $(BUILD))/docs/style .
	mandoc -T lint -W warning docs/luabox.1

from-shell: ## make docs/guide/from-shell.md of the recipes
	@$(LUA) tools/from_shell.lua docs/guide/from-shell.md

# == Installation ==

install: all ## install into $(DESTDIR)$(PREFIX)
	install -D $(BUILD)/luabox $(TO)/bin/luabox
	install -D -m 644 $(BUILD)/luabox.so $(TO)/lib/lua/5.4/luabox.so
	install -d $(TO)/share/lua/5.4/luabox $(TO)/share/luabox/recipes
	install -m 644 $(LUA_FILES) $(TO)/share/lua/5.4/luabox
	install -m 644 $(wildcard recipes/*.lua) $(TO)/share/luabox/recipes
	install -D -m 644 docs/luabox.1 $(TO)/share/man/man1/luabox.1

uninstall: ## remove what install put there
	rm -f $(TO)/bin/luabox $(TO)/lib/lua/5.4/luabox.so $(TO)/share/man/man1/luabox.1
	rm -rf $(TO)/share/lua/5.4/luabox $(TO)/share/luabox

dist: ## make luabox-$(VERSION).tar.gz of the last commit, in build
	@mkdir -p $(BUILD)
	git archive --prefix=luabox-$(VERSION)/ -o $(BUILD)/luabox-$(VERSION).tar.gz HEAD

clean: ## remove what was built
	rm -rf build build-asan build-coverage build-fuzz $(BUILD)

.PHONY: all asan bench check check-lacking check-lua54 check-unit check-vm clean coverage debian demo dist docs from-shell fuzz fuzz-programs help install \
	lint soak tests uninstall vm
.DELETE_ON_ERROR:
-include $(OBJECTS:.o=.d) $(PROGRAM_OBJECTS:.o=.d) $(C_TESTS:=.d) $(BUILD)/tests/inject.d
-include $(FUZZ_COMMON:.o=.d) $(FUZZ_TARGETS:=_fuzz.d)
