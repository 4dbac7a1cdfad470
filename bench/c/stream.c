/* One TCP stream, as fast as it goes. `stream serve ADDRESS PORT` takes one connection after the other and says at its end
 * how many bytes came and what processor time that took it; `stream send ADDRESS PORT SECONDS` writes for so long and says both,
 * with its own time, one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 1 << 17 };

static char piece[PIECE];

/* The receiver's last words; nanoseconds. */
struct said {
  long bytes, cpu;
};

static long now(int clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int serve(int fd, struct sockaddr_in own) {
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&own, sizeof own) || listen(fd, 1)) return perror("Cannot listen"), 1;
  puts("listens"), fflush(stdout);
  for (;;) {
    int peer = accept(fd, NULL, NULL);
    struct said said = {0, -now(CLOCK_PROCESS_CPUTIME_ID)};
    for (long count; (count = read(peer, piece, PIECE)) > 0;) said.bytes += count;
    said.cpu += now(CLOCK_PROCESS_CPUTIME_ID);
    if (write(peer, &said, sizeof said) < 0) perror("Cannot say how much came");
    close(peer);
  }
}

static int send_for(int fd, struct sockaddr_in peer, double seconds) {
  struct said said;
  if (connect(fd, (struct sockaddr *)&peer, sizeof peer)) return perror("Cannot connect"), 1;
  long began = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
  while (now(CLOCK_MONOTONIC) - began < seconds * 1e9)
    if (write(fd, piece, PIECE) < 0) return perror("Cannot send"), 1;
  shutdown(fd, SHUT_WR);
  if (read(fd, &said, sizeof said) != sizeof said) return fprintf(stderr, "The other end says nothing\n"), 1;
  cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu + said.cpu;
  printf("{\"bytes\":%ld,\"seconds\":%.6f,\"cpuNanos\":%ld}\n", said.bytes, (now(CLOCK_MONOTONIC) - began) / 1e9, cpu);
  return 0;
}

int main(int words, char **word) {
  if (words < 4) return fprintf(stderr, "stream serve|send ADDRESS PORT [SECONDS]\n"), 2;
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(atoi(word[3]))};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (inet_pton(AF_INET, word[2], &place.sin_addr) != 1) return 2;
  signal(SIGPIPE, SIG_IGN);
  return strcmp(word[1], "serve") ? send_for(fd, place, words > 4 ? atof(word[4]) : 1) : serve(fd, place);
}
