/* Asks one question after the other (closed loop) and says how long each took to be answered, one line of JSON with the
 * processor time of the process. `exchange ADDRESS PORT COUNT`; a question that is not answered within a second is lost. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000, SLOT = 512 };

/* test.test. A IN */
static unsigned char query[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 't', 'e', 's', 't', 4, 't', 'e', 's', 't', 0, 0, 1, 0, 1};

static long now(int clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int by_size(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return (x > y) - (x < y);
}

int main(int words, char **word) {
  if (words < 4) return fprintf(stderr, "exchange ADDRESS PORT COUNT\n"), 2;
  struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(atoi(word[2]))};
  if (inet_pton(AF_INET, word[1], &peer.sin_addr) != 1) return 2;
  long count = atol(word[3]), answered = 0;
  unsigned *latencies = malloc(count * sizeof *latencies + 4);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (connect(fd, (struct sockaddr *)&peer, sizeof peer)) return perror("Cannot connect"), 1;
  for (long i = 0; i < count; i++) {
    unsigned char answer[SLOT];
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    query[0] = i >> 8, query[1] = i;
    long asked = now(CLOCK_MONOTONIC);
    if (send(fd, query, sizeof query, 0) < 0) continue;
    while (poll(&polled, 1, PATIENCE_MS) > 0) {
      if (recv(fd, answer, sizeof answer, 0) < 2 || memcmp(answer, query, 2)) continue;
      latencies[answered++] = now(CLOCK_MONOTONIC) - asked;
      break;
    }
  }
  qsort(latencies, answered, sizeof *latencies, by_size);
  double p50 = answered ? latencies[(answered - 1) / 2] / 1000.0 : -1;
  double p99 = answered ? latencies[(long)((answered - 1) * .99)] / 1000.0 : -1;
  printf("{\"sent\":%ld,\"answered\":%ld,\"p50\":%.2f,\"p99\":%.2f,\"cpuNanos\":%ld}\n", count, answered, p50, p99,
         now(CLOCK_PROCESS_CPUTIME_ID));
}
