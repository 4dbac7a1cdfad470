/* What the machine's processors did over a span: all of them, softirq and what runs in nobody's name included, but not what
 * processes took that have nothing to do with it. Idle time is what the kernel counts exactly (it says it in hundredths of a
 * second, as it says the processes'), so busy is what is left of the clock's. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct machine {
  /* Nanoseconds: the clock, of all processors together, and of processes that are not counted. */
  long wall, idle, others;
};

static long now(int clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

/* `list` is numbers with commas between. */
static int is_listed(int pid, const char *list) {
  for (char *end; *list; list = *end ? end + 1 : end)
    if (strtol(list, &end, 10) == pid) return 1;
  return 0;
}

/* Of a process and of its children that have ended, in ticks; nothing of the kernel's own threads. */
static long ticks_of(int pid) {
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  size_t length = file ? fread(line, 1, sizeof line - 1, file) : 0;
  if (file) fclose(file);
  line[length] = 0;
  /* The name in parentheses may hold anything; the state stands behind it. */
  char *rest = strrchr(line, ')');
  long user, system, user_of_children, system_of_children;
  int parent;
  if (rest == NULL || sscanf(rest + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld", &parent, &user, &system,
                             &user_of_children, &system_of_children) < 5)
    return 0;
  return parent == 2 || pid == 2 ? 0 : user + system + user_of_children + system_of_children;
}

static long ticks_of_others(const char *ours) {
  long sum = 0;
  DIR *directory = opendir("/proc");
  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    int pid = isdigit(entry->d_name[0]) ? atoi(entry->d_name) : 0;
    if (pid && pid != getpid() && !is_listed(pid, ours)) sum += ticks_of(pid);
  }
  if (directory) closedir(directory);
  return sum;
}

/* `ours`: processes that count, beside this one. */
static struct machine look_at_machine(const char *ours) {
  long idle = 0, wait = 0, steal = 0, tick = 1000000000L / sysconf(_SC_CLK_TCK), others = ticks_of_others(ours);
  FILE *file = fopen("/proc/stat", "r");
  /* Idle, waiting for a disk, and stolen by the host: nobody used those. */
  if (file == NULL || fscanf(file, "cpu %*d %*d %*d %ld %ld %*d %*d %ld", &idle, &wait, &steal) < 3)
    perror("Cannot read /proc/stat");
  if (file) fclose(file);
  return (struct machine){now(CLOCK_MONOTONIC), (idle + wait + steal) * tick, others * tick};
}

/* In nanoseconds. */
static long busy_between(struct machine before, struct machine after) {
  long all = (after.wall - before.wall) * sysconf(_SC_NPROCESSORS_ONLN);
  return all - (after.idle - before.idle) - (after.others - before.others);
}
