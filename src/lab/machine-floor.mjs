// What no installation can mend: the system, the user, the kernel. Plain JavaScript, because it is asked before there
// is anything that could run TypeScript, and by the lab itself afterwards.

/** The lab shows TCX links; the agent itself runs from 5.10 on (docs/kernels.md). */
const MINIMUM_KERNEL = [6, 6];

/**
 * @typedef {object} Floor
 * @property {string} platform as `process.platform`
 * @property {number} uid of the process
 * @property {string} kernel as `uname -r`
 */

/**
 * One clause that names what is missing, or undefined when nothing is.
 * @param {Floor} machine
 * @returns {string | undefined}
 */
export function missingFloor(machine) {
  if (machine.platform !== 'linux') return `it needs Linux: this is ${machine.platform}`;
  if (machine.uid !== 0) {
    return 'it makes network namespaces and loads eBPF, which needs root: run it again with sudo';
  }
  if (!kernelAtLeast(machine.kernel)) {
    return `it needs Linux ${MINIMUM_KERNEL.join('.')} or newer, where TCX links came: this is ${machine.kernel}`;
  }
  return undefined;
}

/**
 * @param {string} text
 * @returns {boolean}
 */
function kernelAtLeast(text) {
  const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10));
  const [needMajor = 0, needMinor = 0] = MINIMUM_KERNEL;
  return major > needMajor || (major === needMajor && minor >= needMinor);
}
