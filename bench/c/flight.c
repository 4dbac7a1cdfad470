/* Keeps so many questions in flight for so long and says what that took, one line of JSON with the processor time of this
 * process and of the whole machine. `flight ADDRESS PORT IN_FLIGHT SECONDS FILE PIDS`: those of the processes that belong
 * to it, with commas between; what others take meanwhile is nobody's here. One in flight is a closed loop with one
 * system call to ask and one to hear, and then the line has latencies; more go by the batch. None: it only sleeps, which
 * says what the machine does by itself. An answer is `good` when it is one, without error and with a record. */
#define _GNU_SOURCE
#include "machine.h"
#include "queries.h"
#include <arpa/inet.h>
#include <sys/socket.h>

enum { MOST_IN_FLIGHT = 256, SLOT = 1500, BUFFER = 1 << 22, MOST_LATENCIES = 1 << 22, IDS = 65536 };

static struct query *queries;
static int total, fd;
static long sent, answered, good, lost, until;
static unsigned latencies[MOST_LATENCIES];
static unsigned char is_asked[IDS], answers[MOST_IN_FLIGHT][SLOT], questions[MOST_IN_FLIGHT][QUERY_BYTES];
static struct iovec in_parts[MOST_IN_FLIGHT], out_parts[MOST_IN_FLIGHT];
static struct mmsghdr in[MOST_IN_FLIGHT], out[MOST_IN_FLIGHT];

static int take(const unsigned char *answer, long length) {
  if (length < 12) return 0;
  unsigned char *asked = &is_asked[answer[0] << 8 | answer[1]];
  if (!*asked) return 0;
  *asked = 0;
  answered++;
  good += (answer[2] & 0x80) && !(answer[3] & 15) && (answer[6] | answer[7]);
  return 1;
}

static int put(unsigned char *to) {
  const struct query *query = &queries[sent % total];
  memcpy(to, query->bytes, query->length);
  to[0] = sent >> 8, to[1] = sent;
  is_asked[sent++ & (IDS - 1)] = 1;
  return query->length;
}

static void one_by_one(void) {
  for (long asked = now(CLOCK_MONOTONIC); asked < until;) {
    send(fd, questions[0], put(questions[0]), 0);
    for (;;) {
      long length = recv(fd, answers[0], SLOT, 0);
      if (length < 0) lost++;
      if (length < 0 || take(answers[0], length)) break;
    }
    long at = now(CLOCK_MONOTONIC);
    if (answered && answered <= MOST_LATENCIES) latencies[answered - 1] = at - asked;
    asked = at;
  }
}

static void send_more(int count) {
  for (int i = 0; i < count; i++) out_parts[i].iov_len = put(questions[i]);
  for (int done = 0; done < count;) {
    int more = sendmmsg(fd, out + done, count - done, 0);
    done += more > 0 ? more : 1;
  }
}

static void by_the_batch(int window) {
  for (int i = 0; i < window; i++) {
    in_parts[i] = (struct iovec){answers[i], SLOT};
    in[i].msg_hdr = (struct msghdr){.msg_iov = &in_parts[i], .msg_iovlen = 1};
    out_parts[i].iov_base = questions[i];
    out[i].msg_hdr = (struct msghdr){.msg_iov = &out_parts[i], .msg_iovlen = 1};
  }
  send_more(window);
  for (int flying = window; now(CLOCK_MONOTONIC) < until;) {
    int count = recvmmsg(fd, in, window, MSG_WAITFORONE, NULL), taken = 0;
    for (int i = 0; i < count; i++) taken += take(answers[i], in[i].msg_len);
    /* Nothing came for a second: what flew is lost. */
    if (count < 0) lost += flying, taken = flying;
    send_more(taken);
  }
}

static void open_socket(const char *address, int port) {
  struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct timeval patience = {.tv_sec = 1};
  int buffer = BUFFER;
  if (inet_pton(AF_INET, address, &peer.sin_addr) != 1) fprintf(stderr, "Not an address: %s\n", address), exit(2);
  fd = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (connect(fd, (struct sockaddr *)&peer, sizeof peer)) perror("Cannot connect"), exit(1);
}

static int by_size(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return (x > y) - (x < y);
}

int main(int words, char **word) {
  if (words < 7) return fprintf(stderr, "flight ADDRESS PORT IN_FLIGHT SECONDS FILE PIDS\n"), 2;
  int window = atoi(word[3]);
  if (window < 0 || window > MOST_IN_FLIGHT) return 2;
  queries = read_queries(word[5], &total);
  open_socket(word[1], atoi(word[2]));
  /* So that no page of it comes while it is measured. */
  memset(latencies, 1, sizeof latencies);
  struct machine before = look_at_machine(word[6]);
  long cpu = now(CLOCK_PROCESS_CPUTIME_ID);
  until = before.wall + atof(word[4]) * 1e9;
  if (window == 0) usleep(atof(word[4]) * 1e6);
  else if (window == 1) one_by_one();
  else by_the_batch(window);
  cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  struct machine after = look_at_machine(word[6]);
  long known = window != 1 ? 0 : answered < MOST_LATENCIES ? answered : MOST_LATENCIES;
  qsort(latencies, known, sizeof *latencies, by_size);
  double p50 = known ? latencies[(known - 1) / 2] / 1000.0 : -1;
  double p99 = known ? latencies[(long)((known - 1) * .99)] / 1000.0 : -1;
  printf("{\"sent\":%ld,\"answered\":%ld,\"good\":%ld,\"lost\":%ld,", sent, answered, good, lost);
  printf("\"seconds\":%.6f,\"p50\":%.3f,\"p99\":%.3f,", (after.wall - before.wall) / 1e9, p50, p99);
  printf("\"cpuNanos\":%ld,\"busyNanos\":%ld}\n", cpu, busy_between(before, after));
}
