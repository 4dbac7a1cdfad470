/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Never loaded: it makes the compiler describe socket-abi.h, from which socket-abi.gen.ts is made. */
#include "socket-abi.h"

struct connection_key abi_connection_key;
struct caller_key abi_caller_key;
struct caller abi_caller;
struct server_key abi_server_key;
struct server abi_server;
struct socket_pair abi_socket_pair;
struct cookie_probe abi_cookie_probe;

enum socket_limit abi_socket_limit;
enum socket_counter abi_socket_counter;
enum socket_reason abi_socket_reason;
