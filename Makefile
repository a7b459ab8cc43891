# luabox: see `make help`.

# == SETTINGS ==

CC ?= cc
CFLAGS ?= -O2 -g
LDFLAGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
WERROR ?=
SANITIZE ?=

# == END OF SETTINGS. NO NEED TO CHANGE ANYTHING BELOW THIS LINE ==

LUA = lua5.4
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	   -Wno-missing-field-initializers -Wno-format-zero-length $(if $(WERROR),-Werror)
SANITIZER = $(if $(SANITIZE),-fsanitize=address$(,)undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
, = ,
VERSION = 0.1.0
ALL_CPPFLAGS = -D_GNU_SOURCE -DLUABOX_VERSION='"$(VERSION)"' -Isrc -I$(BUILD) -I/usr/include/lua5.4 -I/usr/include/libnl3 $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 -fPIC -fvisibility=hidden -fno-common $(WARNINGS) $(SANITIZER) -MMD -MP $(CFLAGS)

# The program carries its libraries, so that it runs after being copied alone and starts without
# their relocations; libmnl has no static form in Debian.
STATIC = -l:libnl-route-3.a -l:libnl-3.a -l:libnftnl.a -lmnl -l:libseccomp.a \
	 -l:libedit.a -l:libtinfo.a -l:libbsd.a -l:libmd.a -l:liblua5.4.a -lm -ldl -lpthread
SHARED = -lnl-route-3 -lnl-3 -lnftnl -lmnl -lseccomp

KERNEL = \
	capability \
	cgroup \
	cgroup_layout \
	cgroup_limits \
	cgroup_tree \
	fault \
	fscontext \
	idmap \
	limits \
	mount \
	mountinfo \
	namespace \
	netns_socket \
	newroot \
	seccomp \
	seccomp_default \
	seccomp_profile \
	system \
	util

BINDING = \
	capability \
	cgroup \
	error \
	handle \
	options \
	seccomp \
	system \
	wait

PROGRAM = \
	main \
	program_calls \
	program_modules \
	program_options \
	program_os \
	program_report \
	program_signals \
	prompt \
	prompt_history

MODULES = \
	luabox \
	luabox.address \
	luabox.address_pool \
	luabox.complete \
	luabox.error \
	luabox.option_kinds \
	luabox.options \
	luabox.port_map \
	luabox.scope \
	luabox.show \
	luabox.units

OBJECTS = $(KERNEL:%=$(BUILD)/kernel/%.o) $(BINDING:%=$(BUILD)/binding/%.o)
PROGRAM_OBJECTS = $(PROGRAM:%=$(BUILD)/%.o)
# luabox.net is lua/luabox/net.lua; luabox itself lua/luabox/init.lua
LUA_FILES = $(patsubst luabox.%,lua/luabox/%.lua,$(filter luabox.%,$(MODULES))) lua/luabox/init.lua

all: $(BUILD)/luabox $(BUILD)/luabox.so

$(BUILD)/luabox: $(PROGRAM_OBJECTS) $(OBJECTS)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -pie -Wl,-E -Wl,--as-needed -o $@ $^ $(STATIC)

$(BUILD)/luabox.so: $(OBJECTS)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,--as-needed -o $@ $^ $(SHARED)

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/embedded.h: tools/embed.lua Makefile $(LUA_FILES)
	@mkdir -p $(@D)
	$(LUA) tools/embed.lua $@ $(MODULES)

$(BUILD)/program_modules.o: $(BUILD)/embedded.h

# A filter takes a millisecond to compile, so the default one is compiled here.
$(BUILD)/seccomp_default: tools/seccomp_default.c src/kernel/seccomp.c src/kernel/seccomp_profile.c src/kernel/fault.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LDFLAGS) -o $@ $^ -lseccomp

$(BUILD)/seccomp_default.h: $(BUILD)/seccomp_default
	$(BUILD)/seccomp_default > $@.new && mv $@.new $@

$(BUILD)/kernel/seccomp_default.o: $(BUILD)/seccomp_default.h

clean:
	rm -rf $(BUILD)

.PHONY: all clean
-include $(OBJECTS:.o=.d) $(PROGRAM_OBJECTS:.o=.d)
