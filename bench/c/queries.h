/* Queries in dnsperf's text format ("NAME TYPE" per line) made into packets. Shared by the two load generators. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { QUERY_BYTES = 288 };

struct query {
  int length;
  unsigned char bytes[QUERY_BYTES];
};

static int encode_query(struct query *query, const char *name, const char *type) {
  unsigned char *at = query->bytes;
  memcpy(at, "\0\0\1\0\0\1\0\0\0\0\0\0", 12), at += 12;
  while (*name && *name != ' ') {
    size_t label = strcspn(name, ". ");
    if (label == 0 || label > 63 || at + label + 8 > query->bytes + QUERY_BYTES) return 0;
    *at++ = label;
    memcpy(at, name, label);
    at += label, name += label;
    if (*name == '.') name++;
  }
  memcpy(at, "\0\0\1\0\1", 5);
  if (!strncmp(type, "AAAA", 4)) at[2] = 28;
  query->length = at + 5 - query->bytes;
  return 1;
}

static struct query *read_queries(const char *path, int *count) {
  FILE *file = fopen(path, "r");
  struct query *queries = NULL;
  char line[512];
  int room = 0;
  *count = 0;
  while (file && fgets(line, sizeof line, file)) {
    char *type = strchr(line, ' ');
    if (*count == room) queries = realloc(queries, (room = room ? 2 * room : 1024) * sizeof *queries);
    if (type && encode_query(&queries[*count], line, type + 1)) ++*count;
  }
  if (file) fclose(file);
  if (*count == 0) fprintf(stderr, "Cannot read queries: received %s\n", path), exit(1);
  return queries;
}
