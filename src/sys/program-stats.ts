/**
 * What a loaded program costs. The kernel counts only while somebody holds the counting open, because it takes two
 * readings of the clock, about 20 ns, each time a program runs.
 */
import { BPF_COMMAND, callBpf } from './bpf.ts';
import { checkCall } from './errors.ts';
import { openLibc } from './libc.ts';
import { readField, readWideField } from './struct.ts';
import { BPF_PROG_INFO } from './uapi.gen.ts';

/** enum bpf_stats_type */
const BPF_STATS_RUN_TIME = 0;

export interface ProgramStats {
  /** How often it ran while it was counted, on all processors. */
  readonly runs: bigint;
  readonly runNs: bigint;
  /** How many instructions the verifier looked at; 0 before Linux 5.16. At most a million. */
  readonly verifiedInstructions: number;
}

/** From now on all programs of the machine are counted, until what is returned is called. Linux 5.8; needs CAP_SYS_ADMIN. */
export function countProgramRuns(): () => void {
  const attr = { 'enable_stats.type': BPF_STATS_RUN_TIME };
  const fd = checkCall('count the runs of programs', callBpf(BPF_COMMAND.ENABLE_STATS, attr));
  return () => void openLibc().close(fd);
}

/** Counters never go back: whoever wants a span takes a difference. */
export function programStats(fd: number): ProgramStats {
  const info = new Uint8Array(BPF_PROG_INFO.size);
  const attr = { 'info.bpf_fd': fd, 'info.info_len': info.length, 'info.info': info };
  checkCall('read the info of a program', callBpf(BPF_COMMAND.OBJ_GET_INFO_BY_FD, attr));
  const view = new DataView(info.buffer);
  return {
    runs: readWideField(BPF_PROG_INFO, 'run_cnt', view),
    runNs: readWideField(BPF_PROG_INFO, 'run_time_ns', view),
    verifiedInstructions: readField(BPF_PROG_INFO, 'verified_insns', view),
  };
}
