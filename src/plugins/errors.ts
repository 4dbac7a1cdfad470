/** What can be wrong with a plugin's lines in a Corefile. Shared by all setups; thrown by `directive.ts`. */
export const PLUGIN_ERRORS = {
  PLUGIN_ARGUMENT_COUNT: {
    cause: 'A directive or one of its options has too few or too many arguments.',
    cure: "Compare the line with the syntax in the plugin's README.",
  },
  PLUGIN_UNKNOWN_OPTION: {
    cause: 'A plugin block holds an option that the plugin does not have.',
    cure: 'Correct the spelling, or remove the line.',
  },
  PLUGIN_UNSUPPORTED_OPTION: {
    cause: 'A plugin block holds an option that CoreDNS has and this server has not.',
    cure: 'Remove the line if the server can do without it; nothing is ever ignored silently.',
  },
  PLUGIN_BAD_VALUE: {
    cause: 'An argument is not of the kind or range that the directive or option takes.',
    cure: "Write the value as the plugin's README says, for example durations with their unit: 30s.",
  },
  PLUGIN_REPEATED: {
    cause: 'A plugin that may stand once per server block stands there several times.',
    cure: 'Join the lines into one, or move one to another server block.',
  },
} as const;

export type PluginErrorCode = keyof typeof PLUGIN_ERRORS;
