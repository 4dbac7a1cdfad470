/* The upstream that fills the caches: answers any name at once, from the name alone, so that it limits nobody.
 * `authority PORT`, on 127.0.0.1. Names under cluster.local do not exist. Of others the number in the first label says
 * what they have: of ten, six have one A, two have three, one is an alias with two, one has none; AAAA: those with three
 * A have one. What is absent comes with an SOA. A query with EDNS gets EDNS back. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SLOT = 1024, HEADER = 12, RECEIVE_BUFFER = 1 << 22, TTL = 3600, A = 1, CNAME = 5, SOA = 6, AAAA = 28 };
enum { ALIAS = 4, NONE = 9 };
/* The pointer to the name asked for. */
enum { QNAME = 0xc000 | HEADER };

static unsigned char packets[BATCH][SLOT];
static struct sockaddr_in peers[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];

static unsigned char *put16(unsigned char *at, unsigned value) {
  *at++ = value >> 8;
  *at++ = value & 255;
  return at;
}

static unsigned char *put32(unsigned char *at, unsigned value) { return put16(put16(at, value >> 16), value & 65535); }

static unsigned char *put_record(unsigned char *at, unsigned name, unsigned type, unsigned length) {
  return put16(put32(put16(put16(put16(at, name), type), 1), TTL), length);
}

static unsigned char *put_address(unsigned char *at, unsigned name, unsigned type, int number) {
  at = put_record(at, name, type, type == A ? 4 : 16);
  if (type == AAAA) memset(at, 0, 12), memcpy(at, "\x20\x01\x0d\xb8", 4), at += 12;
  else *at++ = 192, *at++ = 0, *at++ = 2;
  if (type == AAAA) return put32(at, number);
  *at++ = number;
  return at;
}

/* Of the zone at the last two labels, which start at `zone`. */
static unsigned char *put_soa(unsigned char *at, int zone) {
  unsigned char *data = at = put_record(at, 0xc000 | zone, SOA, 0);
  memcpy(at, "\2ns", 3), at = put16(at + 3, 0xc000 | zone);
  memcpy(at, "\4root", 5), at = put16(at + 5, 0xc000 | zone);
  at = put32(put32(put32(put32(put32(at, 1), 7200), 1800), 86400), TTL);
  put16(data - 2, at - data);
  return at;
}

static int reply(unsigned char *packet, int length) {
  int end = HEADER, labels[128], count = 0;
  while (end < length && packet[end] && count < 128) labels[count++] = end, end += packet[end] + 1;
  if (end + 5 > length) return 0;
  int zone = count < 2 ? HEADER : labels[count - 2], type = packet[end + 2], edns = packet[11], digit = packet[HEADER + packet[HEADER]] - '0';
  int absent = !strncasecmp((char *)packet + zone, "\7cluster\5local", 14);
  unsigned char *start = packet + end + 5, *at = start;
  int answers = 0, addresses = digit == 2 || digit == 7 ? 3 : digit == NONE ? 0 : 1;
  if (type == AAAA) addresses = addresses == 3;
  if (absent || (type != A && type != AAAA)) addresses = 0;
  else if (digit == ALIAS && type == A) {
    at = put_record(at, QNAME, CNAME, 8);
    unsigned target = at - packet;
    memcpy(at, "\5alias", 6), at = put16(at + 6, QNAME);
    for (answers = 1; answers < 3; answers++) at = put_address(at, 0xc000 | target, A, answers);
  }
  while (!(digit == ALIAS && type == A) && answers < addresses) at = put_address(at, QNAME, type, ++answers);
  if (answers == 0) at = put_soa(at, zone);
  if (edns) memcpy(at, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11), at += 11;
  packet[2] |= 0x84;
  packet[3] = 0x80 | (absent ? 3 : 0);
  memset(packet + 6, 0, 6);
  packet[7] = answers, packet[9] = answers == 0, packet[11] = edns ? 1 : 0;
  return at - packet;
}

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
      /* Room for the longest answer stays behind the query. */
      parts[i].iov_len = SLOT / 2;
      messages[i].msg_hdr.msg_namelen = sizeof peers[i];
    }
    int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    for (int i = 0; i < received; i++) parts[i].iov_len = reply(packets[i], messages[i].msg_len);
    for (int sent = 0; sent < received;) {
      int done = sendmmsg(fd, messages + sent, received - sent, 0);
      sent += done > 0 ? done : 1;
    }
  }
}
