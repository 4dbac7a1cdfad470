/* How fast a server answers when the generator is not there: it is stopped, its queues are filled, it is continued, and
 * meanwhile this program sleeps. When answers arrived is the kernel's word (SO_TIMESTAMPNS). One line of JSON with the
 * answers per second of each round. `drain PORT PID QUERIES SOCKETS ROUNDS FILE`, to 127.0.0.1. */
#define _GNU_SOURCE
#include "queries.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SOCKETS = 256, SLOT = 1500, BUFFER = 1 << 22, SETTLE_US = 3000, DRAIN_US = 150000 };

static int fds[MAX_SOCKETS];

static void open_sockets(int count, int port) {
  int on = 1, buffer = BUFFER;
  struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(port)};
  for (int i = 0; i < count; i++) {
    fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(fds[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (connect(fds[i], (struct sockaddr *)&peer, sizeof peer)) perror("Cannot connect"), exit(1);
  }
}

/* Counts what has arrived; from the first to the last of it, in nanoseconds, into `span`. */
static long collect(int sockets, long *span) {
  long count = 0, first = 0, last = 0;
  unsigned char bytes[SLOT], control[64];
  struct iovec part = {bytes, SLOT};
  for (int i = 0; i < sockets; i++) {
    for (;;) {
      struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
      if (recvmsg(fds[i], &header, MSG_DONTWAIT) < 0) break;
      struct cmsghdr *stamp = CMSG_FIRSTHDR(&header);
      if (stamp == NULL) continue;
      struct timespec *at = (struct timespec *)CMSG_DATA(stamp);
      long time = at->tv_sec * 1000000000L + at->tv_nsec;
      if (count++ == 0 || time < first) first = time;
      if (time > last) last = time;
    }
  }
  *span = last - first;
  return count;
}

int main(int words, char **word) {
  if (words < 7) return fprintf(stderr, "drain PORT PID QUERIES SOCKETS ROUNDS FILE\n"), 2;
  int pid = atoi(word[2]), wanted = atoi(word[3]), sockets = atoi(word[4]), rounds = atoi(word[5]), total;
  struct query *queries = read_queries(word[6], &total);
  if (sockets < 1 || sockets > MAX_SOCKETS || pid <= 1) return 2;
  open_sockets(sockets, atoi(word[1]));
  printf("{\"rates\":[");
  for (int round = 0; round < rounds; round++) {
    long span;
    collect(sockets, &span);
    if (kill(pid, SIGSTOP)) return perror("Cannot stop the server"), 1;
    usleep(SETTLE_US);
    for (int i = 0; i < wanted; i++) {
      struct query *query = &queries[(round * 7919 + i) % total];
      query->bytes[0] = i >> 8, query->bytes[1] = i & 255;
      send(fds[i % sockets], query->bytes, query->length, 0);
    }
    kill(pid, SIGCONT);
    usleep(DRAIN_US);
    long count = collect(sockets, &span);
    printf("%s[%ld,%.0f]", round ? "," : "", count, span > 0 ? count * 1e9 / span : 0);
  }
  printf("]}\n");
}
