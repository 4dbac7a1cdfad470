/**
 * The typed client of one agent's socket, for the commands, the lab and tests. Refusals and absence are `AppError`s with
 * a cure. Flows are asked of the agent's Hubble API, whose place its status tells.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { AppError, errorCode } from '../fault/app-error.ts';
import { AGENT_ERRORS, type AgentErrorCode } from './errors.ts';
import type {
  AgentStatus,
  AnswerListing,
  ApiProblem,
  LbListing,
  LrpListing,
  ServiceListing,
} from './wire.ts';

export interface AgentClient {
  readonly socketPath: string;
  lrp(): Promise<LrpListing>;
  lb(): Promise<LbListing>;
  answers(): Promise<AnswerListing>;
  service(): Promise<ServiceListing>;
  status(): Promise<AgentStatus>;
}

const ANSWER_TIMEOUT_MS = 10_000;

/** Opens nothing yet: each call is a connection of its own. */
export function createAgentClient(socketPath: string): AgentClient {
  const get = async <T>(path: string): Promise<T> => {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    return parseAnswer(await readAll(await send({ socketPath, path, signal })), socketPath) as T;
  };
  return {
    socketPath,
    lrp: () => get('/v1/lrp'),
    lb: () => get('/v1/bpf/lb'),
    answers: () => get('/v1/bpf/answers'),
    service: () => get('/v1/service'),
    status: () => get('/v1/status'),
  };
}

interface Call {
  readonly socketPath: string;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** Resolves with an answer of status 200, else throws what the agent said. */
async function send({ socketPath, path, signal }: Call): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({ socketPath, path, signal, agent: false }, resolve);
    request.on('error', (error) => reject(broken(error, socketPath)));
    request.end();
  });
  if (response.statusCode === 200) return response;
  const problem = parseAnswer(await readAll(response), socketPath) as Partial<ApiProblem>;
  throw new AppError(problem.code ?? 'AGENT_REQUEST_REFUSED', problem.message ?? 'Cannot answer');
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

function parseAnswer(text: string, socketPath: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidAnswer(socketPath, error);
  }
}

function invalidAnswer(what: string, cause: unknown): AppError {
  const code: AgentErrorCode = 'AGENT_ANSWER_INVALID';
  const hint = AGENT_ERRORS[code].cure;
  return new AppError(code, `Cannot read the agent's answer: it is not JSON: received from ${what}`, {
    cause,
    hint,
  });
}

/** An agent never ends a stream that follows, except by ending itself. */
function gone(socketPath: string, cause?: unknown): AppError {
  const code: AgentErrorCode = 'AGENT_NOT_RUNNING';
  return new AppError(code, `Cannot follow: the agent has ended: received ${socketPath}`, { cause });
}

/** Absence and lack of rights get their own words; anything else keeps its own. */
function broken(error: unknown, socketPath: string): AppError {
  if (error instanceof AppError) return error;
  const cause = errorCode(error);
  if (cause === 'ECONNRESET') return gone(socketPath, error);
  const code: AgentErrorCode =
    cause === 'EACCES' || cause === 'EPERM' ? 'AGENT_FORBIDDEN' : 'AGENT_NOT_RUNNING';
  const reason = code === 'AGENT_FORBIDDEN' ? 'its socket may not be opened' : 'no agent answers';
  return new AppError(code, `Cannot ask the agent: ${reason}: received ${socketPath}`, {
    cause: error,
    hint: AGENT_ERRORS[code].cure,
  });
}
