/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The socket path: what a process asks of a frontend is sent to a living backend of this node by changing the address at
 * connect and sendmsg, before there is a packet; recvmsg and getpeername show the frontend again. Only namespaces in
 * `callers` are served; to everybody else these programs are two lookups.
 * What must stay true: a socket is never sent to nothing (else it is left alone, and its packets go their ordinary way),
 * and an answer comes from the address that was asked. What was asked is kept in the socket's own storage, so it ends
 * with the socket, and no change of the service tables can take it away.
 * An unconnected socket remembers one frontend for each backend. When a second frontend, or the backend's own address, is
 * asked while answers of the first may be under way, nothing here could tell the answers apart: only the DNS message has
 * an id, and these hooks do not see it. So the second frontend gets another backend or is left alone, which is always
 * right; and a question to the backend's own address, which nobody can send elsewhere, takes the backend for itself.
 * Deliberately absent: a choice made anew for a connected socket (the kernel asks nobody then; user space ends such
 * sockets), and the addresses in a socket's error queue.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/socket.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "alive.h"
#include "maps.h"
#include "parse.h"
#include "socket-abi.h"

/* Returned always: 0 would refuse the system call with EPERM. */
#define ALLOW 1
#define MAX_TRIES 4

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 0);
	__type(key, int);
	__type(value, struct socket_state);
} sockets SEC(".maps");

/*
 * Which UDP sockets are connected to a backend, for user space, which cannot read `sockets`: the kernel shows storage of
 * TCP sockets only. Nothing here depends on it; an entry goes with its socket.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_CONNECTIONS);
	__type(key, struct connection_key);
	__type(value, struct socket_pair);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CALLERS);
	__type(key, struct caller_key);
	__type(value, struct caller);
} callers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVERS);
	__type(key, struct server_key);
	__type(value, struct server);
} servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SOCKET_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} socket_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cookie_probe);
} cookie_probes SEC(".maps");

/* An address in a system call: what the process wrote, and then what the kernel shall read. */
struct target {
	__u8 address[16];
	__be16 port;
	__u8 protocol;
	__u8 pad[5];
};

static __always_inline void count_socket(__u32 index)
{
	__u64 *value = bpf_map_lookup_elem(&socket_counters, &index);

	if (value)
		*value += 1;
}

static __always_inline int is_ipv4(const __u8 address[16])
{
	const __u32 *words = (const __u32 *)address;

	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline void read_target4(struct bpf_sock_addr *ctx, struct target *target)
{
	map_ipv4(target->address, ctx->user_ip4);
	target->port = ctx->user_port;
	target->protocol = ctx->protocol;
}

static __always_inline void write_target4(struct bpf_sock_addr *ctx, const __u8 address[16], __be16 port)
{
	ctx->user_ip4 = mapped_ipv4(address);
	ctx->user_port = port;
}

/* IPv4 in a socket of IPv6 has the form that all addresses have here. */
static __always_inline void read_target6(struct bpf_sock_addr *ctx, struct target *target)
{
	__u32 *words = (__u32 *)target->address;

	words[0] = ctx->user_ip6[0];
	words[1] = ctx->user_ip6[1];
	words[2] = ctx->user_ip6[2];
	words[3] = ctx->user_ip6[3];
	target->port = ctx->user_port;
	target->protocol = ctx->protocol;
}

static __always_inline void write_target6(struct bpf_sock_addr *ctx, const __u8 address[16], __be16 port)
{
	const __u32 *words = (const __u32 *)address;

	ctx->user_ip6[0] = words[0];
	ctx->user_ip6[1] = words[1];
	ctx->user_ip6[2] = words[2];
	ctx->user_ip6[3] = words[3];
	ctx->user_port = port;
}

static __always_inline struct caller *find_caller(struct bpf_sock_addr *ctx)
{
	struct caller_key key = { .cookie = bpf_get_netns_cookie(ctx) };

	return bpf_map_lookup_elem(&callers, &key);
}

/* The answer to user space's question which cookie this namespace has. */
static __always_inline void answer_cookie_probe(struct bpf_sock_addr *ctx, const struct target *target)
{
	__u32 zero = 0;
	struct cookie_probe *probe = bpf_map_lookup_elem(&cookie_probes, &zero);

	if (probe && probe->armed && probe->port == target->port && same_address(probe->address, target->address))
		probe->cookie = bpf_get_netns_cookie(ctx);
}

static __always_inline struct frontend *find_target(const struct target *target)
{
	struct frontend_key key = { .port = target->port, .protocol = target->protocol };

	copy_address(key.address, target->address);
	return bpf_map_lookup_elem(&frontends, &key);
}

static __always_inline int is_pair(const struct socket_pair *pair, const struct target *backend)
{
	return pair->backend_port == backend->port && same_address(pair->backend, backend->address);
}

static __always_inline int is_asked(const struct socket_pair *pair, const struct target *frontend)
{
	return pair->frontend_port == frontend->port && same_address(pair->frontend, frontend->address);
}

static __always_inline int is_young(const struct socket_pair *pair)
{
	return bpf_ktime_get_ns() - pair->seen_ns <= MIXED_SECONDS * 1000000000ULL;
}

/*
 * Where an unconnected socket can note that it asks `backend` for `frontend`: index 1 to MAX_ASKED. 0: nowhere, because
 * answers that are still awaited would get the wrong address.
 */
static __always_inline __u32 find_room(const struct socket_state *state, const struct target *backend,
				       const struct target *frontend)
{
	__u32 room = 0;

#pragma unroll
	for (__u32 i = 1; i <= MAX_ASKED; i++) {
		const struct socket_pair *pair = &state->pairs[i];

		if (pair->backend_port && is_pair(pair, backend))
			return is_asked(pair, frontend) || !is_young(pair) ? i : 0;
		if (!room && (!pair->backend_port || !is_young(pair)))
			room = i;
	}
	return room;
}

static __always_inline int has_heartbeat(const struct backend *backend)
{
	__u32 index = backend->health;
	struct health *row = index ? bpf_map_lookup_elem(&health, &index) : 0;

	return row && row->seat;
}

/*
 * REASON_NONE: alive. Namespace ids are those of the node's own namespace, so only its callers can ask for the socket;
 * for others the heartbeat must do.
 */
static __always_inline __u32 why_dead(struct bpf_sock_addr *ctx, const struct caller *caller,
				      const struct backend *backend)
{
	__u32 reason = health_reason(backend);

	if (reason)
		return reason;
	if (caller->netns_id >= 0)
		return has_heartbeat(backend) ? REASON_NONE : SOCKET_REASON_UNSEEN;
	return has_socket(ctx, backend) ? REASON_NONE : REASON_NO_SOCKET;
}

/*
 * Is the caller the backend itself? Of a pod its namespace says it. In the node's own there are many processes: there it
 * is the cgroup, which user space reads from the socket that serves.
 */
static __always_inline int is_backend(const struct caller *caller, const struct backend *backend)
{
	struct server_key key = {};

	if (caller->netns_id >= 0)
		return caller->netns_id == backend->netns_id;
	if (backend->netns_id >= 0)
		return 0;
	key.cgroup_id = bpf_get_current_cgroup_id();
	copy_address(key.address, backend->address);
	key.port = backend->port;
	key.protocol = backend->protocol;
	return bpf_map_lookup_elem(&servers, &key) != 0;
}

static __always_inline int is_any_backend(const struct caller *caller, const struct frontend_slots *slot)
{
	for (__u32 i = 0; i < MAX_SLOTS; i++) {
		__u32 id = slot->backends[i];
		struct backend *backend;

		if (i >= slot->count)
			break;
		backend = bpf_map_lookup_elem(&backends, &id);
		if (backend && is_backend(caller, backend))
			return 1;
	}
	return 0;
}

/* Where the question goes, and where the socket notes it. */
struct choice {
	struct target backend;
	/* Index of the pair; 0 for connect. */
	__u32 room;
	__u32 reason;
};

/* `state` is what an unconnected socket remembers, or nothing. 0: leave it alone, and `choice->reason` says why. */
static __always_inline int choose_target(struct bpf_sock_addr *ctx, const struct caller *caller,
					 const struct target *asked, const struct frontend *frontend,
					 const struct socket_state *state, int connecting, struct choice *choice)
{
	__u32 id = frontend->id, total, start;
	struct frontend_slots *slot = bpf_map_lookup_elem(&slots, &id);

	choice->reason = REASON_NO_BACKEND;
	if (!slot)
		return 0;
	if ((frontend->flags & FRONTEND_SKIP_FROM_BACKEND) && is_any_backend(caller, slot)) {
		choice->reason = REASON_SKIP;
		return 0;
	}
	total = slot->count;
	if (total == 0 || total > MAX_SLOTS)
		return 0;
	/* Consecutive datagrams of one socket stay on one backend. */
	start = asked->protocol == IPPROTO_TCP ? bpf_get_prandom_u32() :
						 (__u32)bpf_get_socket_cookie(ctx) * 0x9e3779b1 >> 16;
	start %= total;
	for (__u32 i = 0; i < MAX_TRIES; i++) {
		struct backend *backend;

		if (i >= total)
			break;
		id = slot->backends[((start + i) % total) & (MAX_SLOTS - 1)];
		backend = bpf_map_lookup_elem(&backends, &id);
		if (!backend || (backend->flags & BACKEND_IPV6 ? 1 : 0) == is_ipv4(asked->address))
			continue;
		if (is_backend(caller, backend)) {
			choice->reason = REASON_SKIP;
			continue;
		}
		choice->reason = why_dead(ctx, caller, backend);
		if (choice->reason)
			continue;
		copy_address(choice->backend.address, backend->address);
		choice->backend.port = backend->port;
		choice->room = 1;
		if (state && !connecting)
			choice->room = find_room(state, &choice->backend, asked);
		if (choice->room)
			return 1;
		choice->reason = SOCKET_REASON_MIXED;
	}
	return 0;
}

static __always_inline void note(struct socket_pair *pair, const struct target *asked, const struct target *backend)
{
	copy_address(pair->backend, backend->address);
	pair->backend_port = backend->port;
	copy_address(pair->frontend, asked->address);
	pair->frontend_port = asked->port;
	pair->protocol = asked->protocol;
	pair->seen_ns = bpf_ktime_get_ns();
}

/* Whatever the socket was connected to before, it is no more. */
static __always_inline void forget(struct bpf_sock_addr *ctx, struct bpf_sock *sk)
{
	struct socket_state *state = bpf_sk_storage_get(&sockets, sk, 0, 0);
	struct connection_key key = {};

	if (!state)
		return;
	if (state->pairs[0].backend_port && state->pairs[0].protocol == IPPROTO_UDP) {
		key.cookie = bpf_get_socket_cookie(ctx);
		bpf_map_delete_elem(&connections, &key);
	}
	bpf_sk_storage_delete(&sockets, sk);
}

/* 1: `asked` has become the backend's address. */
static __always_inline int redirect_connect(struct bpf_sock_addr *ctx, struct target *asked)
{
	struct bpf_sock *sk = ctx->sk;
	struct choice choice = {};
	struct socket_state *state;
	struct frontend *frontend;
	struct caller *caller;

	if (!sk || (asked->protocol != IPPROTO_TCP && asked->protocol != IPPROTO_UDP))
		return 0;
	forget(ctx, sk);
	caller = find_caller(ctx);
	frontend = caller ? find_target(asked) : 0;
	if (!caller || !frontend) {
		answer_cookie_probe(ctx, asked);
		return 0;
	}
	if (!choose_target(ctx, caller, asked, frontend, 0, 1, &choice)) {
		count_socket(SOCKET_FELL_BACK + choice.reason);
		return 0;
	}
	state = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!state) {
		count_socket(SOCKET_FELL_BACK + SOCKET_REASON_NO_MEMORY);
		return 0;
	}
	note(&state->pairs[0], asked, &choice.backend);
	if (asked->protocol == IPPROTO_TCP) {
		count_socket(SOCKET_REDIRECTED_TCP);
	} else {
		struct connection_key key = { .cookie = bpf_get_socket_cookie(ctx) };

		bpf_map_update_elem(&connections, &key, &state->pairs[0], BPF_ANY);
		count_socket(SOCKET_REDIRECTED_CONNECTED);
	}
	*asked = choice.backend;
	return 1;
}

/* The socket asks the backend by its own address: from now on that is what answers from there are to. */
static __always_inline void note_direct(struct bpf_sock *sk, const struct target *asked)
{
	struct socket_state *state = bpf_sk_storage_get(&sockets, sk, 0, 0);

	if (!state)
		return;
#pragma unroll
	for (__u32 i = 1; i <= MAX_ASKED; i++) {
		if (state->pairs[i].backend_port && is_pair(&state->pairs[i], asked)) {
			note(&state->pairs[i], asked, asked);
			break;
		}
	}
}

/* The kernel comes here only for datagrams that carry an address of their own. */
static __always_inline int redirect_datagram(struct bpf_sock_addr *ctx, struct target *asked)
{
	struct bpf_sock *sk = ctx->sk;
	struct choice choice = {};
	struct socket_state *state;
	struct frontend *frontend;
	struct caller *caller;

	if (!sk || asked->protocol != IPPROTO_UDP)
		return 0;
	caller = find_caller(ctx);
	if (!caller)
		return 0;
	frontend = find_target(asked);
	if (!frontend) {
		note_direct(sk, asked);
		return 0;
	}
	state = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (sk->dst_port) {
		/* Connected, and names an address all the same. It hears its peer only, so only there can it be sent. */
		if (!state || !state->pairs[0].backend_port || !is_asked(&state->pairs[0], asked))
			return 0;
		copy_address(asked->address, state->pairs[0].backend);
		asked->port = state->pairs[0].backend_port;
		count_socket(SOCKET_REDIRECTED_DATAGRAM);
		return 1;
	}
	if (!choose_target(ctx, caller, asked, frontend, state, 0, &choice)) {
		count_socket(SOCKET_FELL_BACK + choice.reason);
		return 0;
	}
	if (!state)
		state = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!state) {
		count_socket(SOCKET_FELL_BACK + SOCKET_REASON_NO_MEMORY);
		return 0;
	}
#pragma unroll
	for (__u32 i = 1; i <= MAX_ASKED; i++) {
		if (i == choice.room)
			note(&state->pairs[i], asked, &choice.backend);
	}
	count_socket(SOCKET_REDIRECTED_DATAGRAM);
	*asked = choice.backend;
	return 1;
}

/* 1: `sender` has become the frontend's address. */
static __always_inline int restore_sender(struct bpf_sock_addr *ctx, struct target *sender)
{
	struct bpf_sock *sk = ctx->sk;
	struct socket_state *state;
	int connected;

	if (!sk)
		return 0;
	state = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!state)
		return 0;
	connected = sk->dst_port != 0;
#pragma unroll
	for (__u32 i = 0; i <= MAX_ASKED; i++) {
		const struct socket_pair *pair = &state->pairs[i];

		if (connected != (i == 0) || !pair->backend_port || !is_pair(pair, sender))
			continue;
		if (is_asked(pair, sender))
			return 0;
		copy_address(sender->address, pair->frontend);
		sender->port = pair->frontend_port;
		count_socket(SOCKET_RESTORED);
		return 1;
	}
	return 0;
}

static __always_inline int restore_peer(struct bpf_sock_addr *ctx, struct target *peer)
{
	struct bpf_sock *sk = ctx->sk;
	struct socket_state *state;

	if (!sk)
		return 0;
	state = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!state || !state->pairs[0].backend_port || !is_pair(&state->pairs[0], peer))
		return 0;
	copy_address(peer->address, state->pairs[0].frontend);
	peer->port = state->pairs[0].frontend_port;
	count_socket(SOCKET_RESTORED);
	return 1;
}

#define SOCKET_PROGRAM(name, section, version, work)                                     \
	SEC(section)                                                                      \
	int name(struct bpf_sock_addr *ctx)                                               \
	{                                                                                 \
		struct target target = {};                                                \
                                                                                          \
		read_target##version(ctx, &target);                                       \
		if (work(ctx, &target))                                                   \
			write_target##version(ctx, target.address, target.port);          \
		return ALLOW;                                                             \
	}

SOCKET_PROGRAM(connect4, "cgroup/connect4", 4, redirect_connect)
SOCKET_PROGRAM(connect6, "cgroup/connect6", 6, redirect_connect)
SOCKET_PROGRAM(sendmsg4, "cgroup/sendmsg4", 4, redirect_datagram)
SOCKET_PROGRAM(sendmsg6, "cgroup/sendmsg6", 6, redirect_datagram)
SOCKET_PROGRAM(recvmsg4, "cgroup/recvmsg4", 4, restore_sender)
SOCKET_PROGRAM(recvmsg6, "cgroup/recvmsg6", 6, restore_sender)
SOCKET_PROGRAM(getpeername4, "cgroup/getpeername4", 4, restore_peer)
SOCKET_PROGRAM(getpeername6, "cgroup/getpeername6", 6, restore_peer)

SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *sk)
{
	struct connection_key key = {};

	if (sk->protocol != IPPROTO_UDP)
		return ALLOW;
	key.cookie = bpf_get_socket_cookie(sk);
	/* Looking is free of locks, deleting is not, and mostly there is nothing. */
	if (bpf_map_lookup_elem(&connections, &key))
		bpf_map_delete_elem(&connections, &key);
	return ALLOW;
}

char program_license[] SEC("license") = "Dual BSD/GPL";
