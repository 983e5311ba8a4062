/** Old names of what tests/fake has now. */
export { linesOf as holds } from "../fake/lines.ts";
export { fakeNode as node } from "../fake/node.ts";
