/** What can be wrong with records written as text: zone files, and the records that templates make. Values, with an offset. */
export const ZONEFILE_ERRORS = {
  ZONE_TEXT: {
    cause:
      'A quote or a parenthesis in a record is not closed, or closes nothing, or a line ends in a backslash.',
    cure: 'Close it, or write a backslash in front of a character that stands for itself.',
  },
  ZONE_NAME: {
    cause: 'A name in a record is empty, too long, wrongly escaped, or relative where there is no origin.',
    cure: 'Write labels of at most 63 and names of at most 255 bytes; end a full name with a dot.',
  },
  ZONE_TTL: {
    cause: 'A record has no TTL and nothing before it gives one, or its TTL is beyond 2147483647 seconds.',
    cure: 'Write the TTL behind the name, as seconds or with units: 1h30m.',
  },
  ZONE_TYPE: {
    cause: 'A record has no type, or a word that is no record type stands where the type belongs.',
    cure: 'Write name, TTL, class, type and data in this order; types without a name are written as TYPE65280.',
  },
  ZONE_RDATA: {
    cause: "A record's data is not what its type asks for.",
    cure: 'Compare the data with the RFC of the type, or write it as bytes: \\# 4 0a000001.',
  },
  ZONE_DIRECTIVE: {
    cause: 'A line of a zone file starts with a dollar sign and a word that is no directive.',
    cure: 'The directives are $ORIGIN, $TTL, $INCLUDE and $GENERATE; a name that starts with a dollar sign is written \\$name.',
  },
  ZONE_INCLUDE: {
    cause: 'A file that a zone file includes cannot be read, or files include each other in a circle.',
    cure: 'Paths of $INCLUDE are relative to the file they stand in; files may be seven deep.',
  },
  ZONE_GENERATE: {
    cause: 'The range or a modifier of $GENERATE is not understood, or would make too many records.',
    cure: 'Write it as $GENERATE 1-20/2 host-$ A 10.0.0.$; one line makes at most 65536 records.',
  },
} as const;

export type ZonefileErrorCode = keyof typeof ZONEFILE_ERRORS;
