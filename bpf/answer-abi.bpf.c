/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Never loaded: it makes the compiler describe answer-abi.h, from which answer-abi.gen.ts is made. */
#include "answer-abi.h"

_Static_assert(sizeof(struct answer_head) == 64, "one cache line");
_Static_assert(sizeof(struct answer_set) == 64, "one cache line");
_Static_assert(sizeof(struct answer_slot) == 128, "two cache lines");

struct answer_head abi_answer_head;
struct answer_set abi_answer_set;
struct answer_slot abi_answer_slot;
struct answer_source abi_answer_source;
struct answer_log abi_answer_log;

enum answer_limit abi_answer_limit;
enum answer_place abi_answer_place;
enum answer_flag abi_answer_flag;
enum answer_key_bit abi_answer_key_bit;
