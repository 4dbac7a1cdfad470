/** `--input-file`: rows of a file, or of standard input, answered as a server would (spec hubble 2.2). */
import { createReadStream } from 'node:fs';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../../flow/api.ts';
import { compileSelection } from '../../flow/filter/select-flows.ts';
import { linesOf } from '../../flow/input/lines-of.ts';
import { readFlowLines } from '../../flow/input/read-flow-lines.ts';

export interface InputFile {
  /** `-`: standard input. */
  readonly path: string;
  readonly request: GetFlowsRequest;
  readonly signal: AbortSignal;
  readonly warn: (text: string) => void;
}

/** Throws `AppError` FLOW_FILE_UNREADABLE, or for a request that cannot be answered. Ends with the signal. */
export async function* flowsOfFile(file: InputFile): AsyncGenerator<GetFlowsResponse, void, void> {
  const { path, request, signal, warn } = file;
  const select = compileSelection(request);
  if (!select.ok) throw new AppError(select.code, `Cannot observe: ${select.reason ?? select.code}`);
  const stream = path === '-' ? process.stdin : createReadStream(path);
  const stop = () => stream.destroy();
  signal.addEventListener('abort', stop);
  try {
    yield* select.value(readFlowLines(linesOf(stream.setEncoding('utf8')), { warn }));
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof AppError) throw error;
    throw new AppError('FLOW_FILE_UNREADABLE', `Cannot read flows: ${errorText(error)}: received ${path}`, {
      cause: error,
    });
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}
