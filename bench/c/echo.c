/* The least that a UDP server can cost: every datagram goes back with the reply bit set, 64 at a time; nothing is read or
 * looked up. `echo PORT [THREADS [ADDRESS]]`, on 127.0.0.1 unless told; each thread has a socket of its own on the port. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, SLOT = 512, RECEIVE_BUFFER = 1 << 22, FLAGS = 2, QR = 0x80 };

static _Thread_local unsigned char packets[BATCH][SLOT];
static _Thread_local struct sockaddr_in peers[BATCH];
static _Thread_local struct iovec parts[BATCH];
static _Thread_local struct mmsghdr messages[BATCH];

static struct in_addr address;

static void *serve(void *port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = RECEIVE_BUFFER, on = 1;
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = address};
  own.sin_port = htons(atoi(port));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&own, sizeof own)) perror("Cannot bind"), exit(1);
  for (int i = 0; i < BATCH; i++) {
    parts[i].iov_base = packets[i];
    messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i], .msg_iov = &parts[i], .msg_iovlen = 1};
  }
  for (;;) {
    for (int i = 0; i < BATCH; i++) {
      parts[i].iov_len = SLOT;
      messages[i].msg_hdr.msg_namelen = sizeof peers[i];
    }
    int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    for (int i = 0; i < received; i++) {
      parts[i].iov_len = messages[i].msg_len;
      packets[i][FLAGS] |= QR;
    }
    for (int sent = 0; sent < received;) {
      int done = sendmmsg(fd, messages + sent, received - sent, 0);
      sent += done > 0 ? done : 1;
    }
  }
}

int main(int count, char **words) {
  pthread_t thread;
  if (count < 2) return 2;
  address.s_addr = count > 3 ? inet_addr(words[3]) : htonl(INADDR_LOOPBACK);
  for (int more = count > 2 ? atoi(words[2]) : 1; more > 1; more--) pthread_create(&thread, NULL, serve, words[1]);
  serve(words[1]);
}
