/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Never loaded: the layouts of the kernel structs that src/sys fills in and reads, for uapi.gen.ts. */
#include <linux/bpf.h>
#include <linux/inet_diag.h>
#include <linux/neighbour.h>
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
struct bpf_prog_info uapi_bpf_prog_info;
struct tcmsg uapi_tcmsg;
struct ndmsg uapi_ndmsg;
struct rtgenmsg uapi_rtgenmsg;
struct inet_diag_req_v2 uapi_inet_diag_req_v2;
struct inet_diag_msg uapi_inet_diag_msg;

/* What Linux 6.6 put into union bpf_attr for TCX: headers to compile with may be older. */
struct tcx_query_attr {
	__u32 target_ifindex;
	__u32 attach_type;
	__u32 query_flags;
	__u32 attach_flags;
	__u64 prog_ids;
	__u32 count;
	__u32 padding;
	__u64 prog_attach_flags;
	__u64 link_ids;
	__u64 link_attach_flags;
	__u64 revision;
} uapi_tcx_query_attr;
struct tcx_create_attr {
	__u32 prog_fd;
	__u32 target_ifindex;
	__u32 attach_type;
	__u32 flags;
	__u32 relative_id;
	__u32 padding;
	__u64 expected_revision;
} uapi_tcx_create_attr;
