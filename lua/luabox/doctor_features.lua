--- What `luabox.doctor` looks for, in its order.
-- Internal: a part of `luabox.doctor`, for nobody else.
-- @module luabox.doctor_features

local host = require "luabox.doctor_host"
local look = require "luabox.doctor_look"
local try = require "luabox.doctor_try"

-- A feature: its name; `look(see)`, which returns the status, "ok", "missing" or "cannot tell", and a detail; what is
-- `needed_by` it in luabox; what luabox does `instead` without it; how to `get` it; whether the main job cannot do
-- without it (`essential`). Titles stand between groups.

local ROOT = "run luabox as root of the machine, outside of containers"
local MOUNTED = "mount -t tmpfs tmpfs /run; for other users than root, XDG_RUNTIME_DIR in the environment"

local function kernel(since, option)
  return ("Linux %s or newer%s"):format(since, option and ", built with " .. option or "")
end

local function module(name, option)
  return ("modprobe %s; if there is no such module, a kernel built with %s"):format(name, option)
end

local function namespace(type, what, option)
  return { name = type .. " namespaces", look = try.namespace(type), needed_by = what, essential = true,
    get = ("sysctl user.max_%s_namespaces=10000; a kernel built with %s"):format(type, option) }
end

local function capability(name, what)
  return { name = "CAP_" .. name:upper(), look = look.capability(name), needed_by = what, get = ROOT,
    essential = true }
end

local function filesystem(name, what, option)
  return { name = "file system " .. name, look = look.filesystem(name), needed_by = what, essential = true,
    get = "a kernel built with " .. option }
end

local function calls(list, since, what, instead)
  return { name = list:gsub(",", ", "), look = look.calls(list), needed_by = what, instead = instead,
    get = kernel(since) .. "; a sandbox that lets it through" }
end

local function link(kind, loaded, option, what, essential)
  return { name = kind .. " links", look = try.link(kind), needed_by = what, get = module(loaded, option),
    essential = essential }
end

local function nft(name, which, loaded, option, what)
  return { name = name, look = try.nft(which), needed_by = what, get = module(loaded, option), essential = true }
end

local function controller(name, what, essential)
  return { name = "controller " .. name, look = host.controller(name), needed_by = what, essential = essential,
    get = "a writable cgroup file system with it: as root outside of containers, or systemd-run --user --scope "
      .. "-p Delegate=yes luabox" }
end

return {
  "Kernel and program",
  { name = "Linux 5.10", look = host.kernel(5, 10), needed_by = "all that luabox is tested with",
    instead = "what an older kernel lacks is listed below", get = "a newer kernel" },
  { name = "luabox's libraries", look = host.libraries, needed_by = "everything", essential = true,
    get = "make install; the packages libmnl0, libnftnl11, libnl-3-200, libnl-route-3-200, libseccomp2" },
  { name = "libarchive", look = host.libarchive, needed_by = "luabox.rootfs.from_tar: roots from archives",
    get = "apt install libarchive13" },
  { name = "libpcap", look = host.libpcap, needed_by = "luabox.pcap: captures, and files of packets",
    get = "apt install libpcap0.8" },
  { name = "embedded busybox", look = try.default_root, needed_by = "containers without a rootfs of their own",
    get = ROOT, essential = true },
  { name = "state directory", look = host.state_directory, essential = true,
    needed_by = "the keeper's journal: what luabox gc undoes when even the keeper was killed", get = MOUNTED },

  "Namespaces",
  namespace("mnt", "containers: a root and mounts of their own", "CONFIG_NAMESPACES"),
  namespace("pid", "containers: processes of their own, which end with the first", "CONFIG_PID_NS"),
  namespace("net", "containers and networks: links of their own", "CONFIG_NET_NS"),
  namespace("uts", "containers: a host name of their own", "CONFIG_UTS_NS"),
  namespace("ipc", "containers: message queues and shared memory of their own", "CONFIG_IPC_NS"),
  namespace("cgroup", "containers: a view of cgroups that begins at their own", "CONFIG_CGROUPS"),
  { name = "user namespaces", look = try.user_namespace, needed_by = "uid_map and gid_map of a container",
    get = "sysctl user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1; CONFIG_USER_NS" },
  { name = "subordinate ids", look = host.subordinate_ids, needed_by = "maps of more than one id, if not root",
    get = "apt install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER" },
  { name = "time namespaces", look = try.namespace "time", needed_by = "time_offsets of process.spawn",
    get = kernel("5.6", "CONFIG_TIME_NS") },

  "Privileges",
  capability("sys_admin", "namespaces, mounts, entering a container"),
  capability("net_admin", "links, addresses, routes, NAT"),
  capability("sys_ptrace", "run, check and call in a container that runs"),
  capability("mknod", "null, zero and the like in a container's /dev"),
  { name = "capabilities to give", essential = true, get = ROOT, needed_by = "those that a container gets by default",
    look = look.capability("chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,sys_chroot,"
      .. "setfcap,net_raw") },
  { name = "initial user namespace", essential = true, get = ROOT,
    needed_by = "device nodes, limits and forwarding, which are the machine's",
    look = function(see) return see.nested and "missing" or "ok" end },
  { name = "mount and pivot_root", look = try.mounts, essential = true, needed_by = "a container's root",
    get = ROOT .. ", and not from a root that is the kernel's initramfs" },
  { name = "seccomp filters", look = look.calls "seccomp", essential = true,
    needed_by = "a container's filter of system calls", get = "a kernel built with CONFIG_SECCOMP_FILTER" },
  { name = "keyrings", look = look.calls "keyctl", needed_by = "a session keyring of each container's own",
    instead = "nothing: there are no keys to be kept from it", get = "a kernel built with CONFIG_KEYS" },

  "File systems",
  { name = "file system overlay", look = look.filesystem("overlay", "overlay"),
    needed_by = "the default root, shared; a rootfs that is not to be changed",
    instead = "each container makes the default root for itself; a rootfs is taken with access \"ro\" or \"rw\"",
    get = module("overlay", "CONFIG_OVERLAY_FS") },
  filesystem("tmpfs", "the default root, /dev and what is thrown away", "CONFIG_TMPFS"),
  filesystem("proc", "a container's /proc", "CONFIG_PROC_FS"),
  filesystem("sysfs", "a container's /sys", "CONFIG_SYSFS"),
  filesystem("devpts", "a container's terminals", "CONFIG_UNIX98_PTYS"),
  filesystem("mqueue", "a container's /dev/mqueue", "CONFIG_POSIX_MQUEUE"),
  filesystem("cgroup2", "a container's /sys/fs/cgroup", "CONFIG_CGROUPS"),

  "System calls",
  calls("clone3", "5.3", "a child that is born in its cgroup", "clone; the child enters its cgroup itself"),
  calls("openat2", "5.6", "paths inside a root that is not trusted", "the path is walked step by step"),
  calls("pidfd_open,pidfd_send_signal", "5.3", "the keeper: it signals no process that only has the same pid",
    "processes are told apart by the time that they started"),
  calls("close_range", "5.9", "no descriptor goes where it should not", "they are closed one by one"),
  calls("memfd_create", "3.17", "filters of system calls that a script builds",
    "a file without a name in /dev/shm, /tmp or /run"),
  calls("fsopen,fsconfig,fsmount", "5.2", "roots that are seen nowhere before they are used",
    "mount, in the child alone"),
  calls("open_tree,move_mount", "5.2", "binds, and roots that are seen nowhere before they are used",
    "mount, in the child alone"),
  calls("mount_setattr", "5.12", "read-only trees; a root whose owners a uid_map shifts",
    "each mount is remounted; a root is not shifted"),

  "Links",
  link("veth", "veth", "CONFIG_VETH", "networks: the link of each container", true),
  link("bridge", "bridge", "CONFIG_BRIDGE", "networks: the switch", true),
  link("macvlan", "macvlan", "CONFIG_MACVLAN", "sys.net: links of this kind"),
  link("ipvlan", "ipvlan", "CONFIG_IPVLAN", "sys.net: links of this kind"),
  link("vlan", "8021q", "CONFIG_VLAN_8021Q", "sys.net: links of this kind"),
  link("vxlan", "vxlan", "CONFIG_VXLAN", "sys.net: links of this kind"),
  link("dummy", "dummy", "CONFIG_DUMMY", "sys.net: links of this kind"),

  "NAT and ports",
  nft("nf_tables", "table", "nf_tables", "CONFIG_NF_TABLES_INET", "gateway, nat and ports of a network"),
  { name = "owned tables", look = try.nft "owner", needed_by = "tables that end with the run",
    instead = "the keeper deletes them", get = kernel("5.12", "CONFIG_NF_TABLES") },
  nft("NAT chains", "nat", "nft_chain_nat", "CONFIG_NFT_NAT", "nat and ports of a network"),
  nft("masquerade", "masquerade", "nft_masq", "CONFIG_NFT_MASQ", "nat of a network"),
  nft("destination NAT", "dnat", "nft_nat", "CONFIG_NFT_NAT", "ports of a container"),
  nft("connection tracking", "conntrack", "nft_ct", "CONFIG_NFT_CT", "ports of a container, for its neighbours"),
  nft("address types", "address type", "nft_fib_inet", "CONFIG_NFT_FIB_INET", "ports on all of the host's addresses"),
  { name = "forwarding", look = host.forwarding, essential = true, get = "sysctl net.ipv4.ip_forward=1",
    needed_by = "gateway and nat: luabox sets net.ipv4.ip_forward while it needs it" },
  { name = "forward policy", look = host.forward_policy, essential = true,
    needed_by = "gateway and nat: packets between a network and the host's other links",
    get = "rules of the chain that accept the links of luabox's networks (NAME-xxxx), or the policy accept" },
  { name = "IPv6", look = host.ipv6, needed_by = "networks with a subnet of IPv6",
    get = "sysctl net.ipv6.conf.all.disable_ipv6=0; a start of the machine without ipv6.disable=1" },

  "Control groups",
  { name = "cgroup2", look = host.cgroup2, needed_by = "containers with limits: to be killed and frozen at once",
    instead = "version 1's freezer, if it is mounted",
    get = "mount -t cgroup2 cgroup2 /sys/fs/cgroup, or beside version 1 (unified)" },
  controller("memory", "memory and memory_swap of a container", true),
  controller("cpu", "cpus and cpu_weight of a container", true),
  controller("pids", "pids of a container", true),
  controller("cpuset", "cpuset of a container"),
  controller("io", "io of a container"),
}
