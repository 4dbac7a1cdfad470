/**
 * The ways in which the stock client's flags may be typed that our reader of flags has not: `--follow=false`, `-n=shop`, and
 * the environment in place of flags. Flags of the stock client that are not here are refused by name, with what to do instead.
 */
import { AppError } from '../../fault/app-error.ts';

const ABSENT: Readonly<Record<string, string>> = {
  '--port-forward':
    'open the way yourself: kubectl -n kube-system port-forward service/hubble-relay 4245:80, then --server localhost:4245',
  '--port-forward-port': 'there is no --port-forward here',
  '--kube-context': 'there is no --port-forward here',
  '--kube-namespace': 'there is no --port-forward here',
  '--kubeconfig': 'there is no --port-forward here',
  '--basic-auth-username': 'show a certificate: --tls-client-cert-file',
  '--basic-auth-password': 'show a certificate: --tls-client-cert-file',
  '--config': 'flags and environment are all there is',
};

const SHORT: Readonly<Record<string, string>> = { '-P': '--port-forward' };

/** `isSwitch`: of a flag that takes no value. Throws `AppError` HUBBLE_OPTION_INVALID. */
export function plainFlags(args: readonly string[], isSwitch: (name: string) => boolean): readonly string[] {
  return args.flatMap((arg) => {
    const [, name = arg, value] = /^(--[a-z0-9-]+)=(.*)$/s.exec(arg) ?? [];
    const absent = SHORT[name] ?? name;
    if (Object.hasOwn(ABSENT, absent)) throw refused(absent);
    if (value !== undefined && isSwitch(name)) return switched(name, value);
    return /^-[A-Za-z]=./.test(arg) ? [arg.slice(0, 2), arg.slice(3)] : [arg];
  });
}

function refused(flag: string): AppError {
  return new AppError(
    'HUBBLE_OPTION_INVALID',
    `Cannot use ${flag}: zerohop has no such flag: received ${flag}`,
    {
      hint: `Instead, ${ABSENT[flag]}`,
    },
  );
}

/** Go's words for a truth. */
const TRUE: readonly string[] = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE: readonly string[] = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

function switched(name: string, value: string): readonly string[] {
  if (TRUE.includes(value)) return [name];
  if (FALSE.includes(value)) return [];
  throw new AppError(
    'HUBBLE_OPTION_INVALID',
    `Cannot use ${name}: it is true or false: received ${JSON.stringify(value)}`,
  );
}

export function isTrue(flag: string, value: string | boolean): boolean {
  return typeof value === 'boolean' ? value : switched(flag, value).length > 0;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `HUBBLE_TLS_SERVER_NAME` for `--tls-server-name`, and so on; undefined when it is not set or empty. */
export function fromEnvironment(name: string, env: Environment): string | undefined {
  return env[`HUBBLE_${name.toUpperCase().replaceAll('-', '_')}`] || undefined;
}
