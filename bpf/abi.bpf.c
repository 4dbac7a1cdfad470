/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Never loaded: it makes the compiler describe every struct and enum of abi.h, from which abi.gen.ts is made. */
#include "abi.h"

struct frontend_key abi_frontend_key;
struct frontend abi_frontend;
struct frontend_slots abi_frontend_slots;
struct backend abi_backend;
struct health abi_health;
struct beat abi_beat;
struct flow_key abi_flow_key;
struct flow abi_flow;
struct endpoint_key abi_endpoint_key;
struct endpoint abi_endpoint;
struct fragment_key abi_fragment_key;
struct fragment abi_fragment;
struct config abi_config;
struct packet_event abi_packet_event;
struct drop_layout abi_drop_layout;

enum abi_limit abi_abi_limit;
enum frontend_flag abi_frontend_flag;
enum backend_flag abi_backend_flag;
enum endpoint_flag abi_endpoint_flag;
enum flow_direction abi_flow_direction;
enum counter abi_counter;
enum reason abi_reason;
enum verdict abi_verdict;
enum hook abi_hook;
enum place abi_place;
enum drop_protocol abi_drop_protocol;
