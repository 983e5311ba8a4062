/** Values that keys of a configuration must refuse, by what the key wants. */

/** Text longer than anything that fits anywhere, in characters of ASCII. */
export const HUGE = "x".repeat(70_000);

/** Text with something in it that belongs into no name, number or address. */
export const ODD_TEXT = ["a/b", "../a", "a\u0000b", "a\nb", " a", "\u00e4\u00f6", "\u202e", HUGE];
/** What is no text. */
export const NO_TEXT = [1, 1.5, true, null, [], {}, ["a"]];
/** What is no whole number from 0 on. */
export const NO_NUMBER = ["1", "", "a", 1.5, -1, 1e300, true, null, [], {}];
/** What is neither true nor false. */
export const NO_SWITCH = [0, 1, "true", "false", "", null, [], {}];
/** What is no object. */
export const NO_OBJECT = [0, "", "a", true, null, []];
/** What is no list. */
export const NO_LIST = [0, "", "a", true, null, {}];

/** What a key may not be. */
export const KINDS = {
  text: NO_TEXT,
  name: [...NO_TEXT, "", ...ODD_TEXT],
  switch: NO_SWITCH,
  object: NO_OBJECT,
  list: NO_LIST,
  prefix: [
    ...NO_TEXT,
    ...["", ...ODD_TEXT, "10.97.1.0", "10.97.1.0/", "10.97.1.0/33", "10.97.1.0/-1", "10.97.1.0/24/24", "10.97.1/24"],
    ...["256.1.1.0/24", "010.97.1.0/24", "1e1.0x1.1.0/24", "fd00::/129", "fd00:::/64", "fd00::%eth0/64"],
  ],
  optionNumber: [...NO_TEXT, "", ...ODD_TEXT, "-1", "1.5", "0x10", "1e2", "+1", " 1", "99999999999"],
  optionSwitch: [...NO_TEXT, "", ...ODD_TEXT, "yes", "1", "TRUE", "0"],
  optionAddress: [...NO_TEXT, "", ...ODD_TEXT, "239.1.1", "239.1.1.256", "239.1.1.1/32", "fd00:::1", "0xef010165"],
  optionMac: [
    ...NO_TEXT,
    ...[
      "",
      ...ODD_TEXT,
      "02:00:00:00:00",
      "02:00:00:00:00:0g",
      "01:00:5e:00:00:01",
      "00:00:00:00:00:00",
      "020000000001",
    ],
  ],
} as const satisfies Record<string, readonly unknown[]>;
