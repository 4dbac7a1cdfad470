/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Never loaded: the layouts of the kernel structs that src/sys fills in and reads, for uapi.gen.ts. */
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/un.h>

union bpf_attr uapi_bpf_attr;
struct bpf_map_info uapi_bpf_map_info;
struct bpf_link_info uapi_bpf_link_info;
struct __sk_buff uapi_sk_buff;
struct nlmsghdr uapi_nlmsghdr;
struct nlmsgerr uapi_nlmsgerr;
struct sockaddr_nl uapi_sockaddr_nl;
struct rtmsg uapi_rtmsg;
struct ifinfomsg uapi_ifinfomsg;
struct rtattr uapi_rtattr;
struct ifaddrmsg uapi_ifaddrmsg;
struct sockaddr_un uapi_sockaddr_un;
