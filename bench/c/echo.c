/* The least that a UDP server can cost: every datagram goes back with the reply bit set, 64 at a time; nothing is read or
 * looked up. `echo PORT`, on 127.0.0.1. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, SLOT = 512, RECEIVE_BUFFER = 1 << 20, FLAGS = 2, QR = 0x80 };

static unsigned char packets[BATCH][SLOT];
static struct sockaddr_in peers[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];

int main(int count, char **words) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = RECEIVE_BUFFER;
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  own.sin_port = htons(count > 1 ? atoi(words[1]) : 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (bind(fd, (struct sockaddr *)&own, sizeof own)) return perror("Cannot bind"), 1;
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
