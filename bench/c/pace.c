/* Asks at a fixed rate whatever the server does (open loop) and says how long the answers took, one line of JSON.
 * `pace PORT RATE SECONDS SOCKETS FILE [ADDRESS]`, to 127.0.0.1 or to the address of a pod. When an answer arrived is the kernel's word (SO_TIMESTAMPNS), so that
 * a generator that has to wait for a processor does not count as a slow server; when it was asked is read just before the
 * send, from the same clock. Nothing waits for an answer that does not come within a second. */
#define _GNU_SOURCE
#include "queries.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum { MAX_SOCKETS = 256, BATCH = 32, SLOT = 1500, IDS = 65536, TAIL_NS = 1000000000, BUFFER = 1 << 22 };

static struct pollfd polled[MAX_SOCKETS];
static long (*asked)[IDS];
static unsigned char answers[BATCH][SLOT], control[BATCH][64], questions[BATCH][QUERY_BYTES];
static struct iovec in_parts[BATCH], out_parts[BATCH];
static struct mmsghdr in[BATCH], out[BATCH];
static unsigned *latencies;
static long answered, failed, sent, room;

static long now(int clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void take(int number, int i) {
  struct msghdr *header = &in[i].msg_hdr;
  unsigned char *answer = answers[i];
  if (in[i].msg_len < 12) return;
  long *since = &asked[number][answer[0] << 8 | answer[1]];
  struct cmsghdr *stamp = CMSG_FIRSTHDR(header);
  if (*since == 0 || stamp == NULL) return;
  struct timespec *at = (struct timespec *)CMSG_DATA(stamp);
  long took = at->tv_sec * 1000000000L + at->tv_nsec - *since;
  *since = 0;
  if ((answer[3] & 15) != 0 && (answer[3] & 15) != 3) failed++;
  if (answered < room) latencies[answered++] = took < 0 ? 0 : took > 4000000000L ? 4000000000U : took;
}

static void receive(int number) {
  for (;;) {
    for (int i = 0; i < BATCH; i++) in[i].msg_hdr.msg_controllen = sizeof control[i];
    int count = recvmmsg(polled[number].fd, in, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) take(number, i);
    if (count < BATCH) return;
  }
}

/* Queries one socket sends in a row: one when paced, more when behind. */
static void ask(int number, int count, const struct query *queries, int total) {
  static unsigned short ids[MAX_SOCKETS];
  for (int i = 0; i < count; i++) {
    const struct query *query = &queries[(sent + i) % total];
    unsigned short id = ids[number]++;
    memcpy(questions[i], query->bytes, query->length);
    questions[i][0] = id >> 8, questions[i][1] = id & 255;
    out_parts[i].iov_len = query->length;
    asked[number][id] = now(CLOCK_REALTIME);
  }
  sendmmsg(polled[number].fd, out, count, 0);
  sent += count;
}

static int by_size(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return (x > y) - (x < y);
}

static double quantile(double share) { return answered ? latencies[(long)((answered - 1) * share)] / 1000.0 : -1; }

static void open_sockets(int count, int port, const char *address) {
  int on = 1, buffer = BUFFER;
  struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &peer.sin_addr) != 1) fprintf(stderr, "Not an address: %s\n", address), exit(2);
  for (int i = 0; i < count; i++) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer)) perror("Cannot connect"), exit(1);
    polled[i] = (struct pollfd){.fd = fd, .events = POLLIN};
  }
  for (int i = 0; i < BATCH; i++) {
    in_parts[i] = (struct iovec){answers[i], SLOT};
    in[i].msg_hdr = (struct msghdr){.msg_iov = &in_parts[i], .msg_iovlen = 1, .msg_control = control[i]};
    out_parts[i].iov_base = questions[i];
    out[i].msg_hdr = (struct msghdr){.msg_iov = &out_parts[i], .msg_iovlen = 1};
  }
}

int main(int words, char **word) {
  if (words < 6) return fprintf(stderr, "pace PORT RATE SECONDS SOCKETS FILE [ADDRESS]\n"), 2;
  double rate = atof(word[2]), seconds = atof(word[3]);
  int sockets = atoi(word[4]), total, number = 0;
  if (sockets < 1 || sockets > MAX_SOCKETS) return 2;
  struct query *queries = read_queries(word[5], &total);
  long planned = room = rate * seconds;
  latencies = malloc(room * sizeof *latencies + 4);
  asked = calloc(sockets, sizeof *asked);
  open_sockets(sockets, atoi(word[1]), words > 6 ? word[6] : "127.0.0.1");
  prctl(PR_SET_TIMERSLACK, 1);
  long start = now(CLOCK_MONOTONIC), last = 0;
  while (answered < planned) {
    long at = now(CLOCK_MONOTONIC) - start, due = at * rate / 1e9 + 1;
    if (due > planned) due = planned;
    if (sent < due) {
      long behind = due - sent;
      ask(number, behind > BATCH ? BATCH : behind, queries, total);
      number = (number + 1) % sockets;
      last = at;
    } else if (sent == planned && at - last > TAIL_NS) break;
    long wait = sent < planned ? (sent / rate * 1e9) - (now(CLOCK_MONOTONIC) - start) : TAIL_NS;
    struct timespec limit = {wait > 0 ? wait / 1000000000 : 0, wait > 0 ? wait % 1000000000 : 0};
    if (ppoll(polled, sockets, &limit, NULL) > 0)
      for (int i = 0; i < sockets; i++) if (polled[i].revents) receive(i);
  }
  qsort(latencies, answered, sizeof *latencies, by_size);
  printf("{\"sent\":%ld,\"answered\":%ld,\"failed\":%ld,\"seconds\":%.3f,", sent, answered, failed, last / 1e9);
  printf("\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}\n", quantile(.5), quantile(.99), quantile(.999), quantile(1));
}
