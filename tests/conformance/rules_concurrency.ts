/** Section 3, Lifecycle & Ordering: several containers at the same time. */
import { succeeded } from "./answer.ts";
import { demand } from "./demand.ts";
import { must, section } from "./rule.ts";
import { leavesHost, ownAddresses } from "./rules_add.ts";
import { works } from "./rules_del.ts";

const CONTAINERS = 5;

export const concurrencyRules = section("3 Lifecycle & Ordering", { for: "both" }, [
  must("ADDs of several containers at the same time succeed with distinct addresses", async (subject) => {
    await subject.alone();
    const attachments = await Promise.all(Array.from({ length: CONTAINERS }, () => subject.attach()));
    const addresses = attachments.flatMap(ownAddresses);
    demand(new Set(addresses).size === addresses.length, `addresses: ${addresses.join(", ")}`);
    return `${addresses.length} addresses`;
  }),
  must("DELs of several containers at the same time succeed and leave nothing", async (subject) => {
    await subject.shared();
    await leavesHost(subject, async () => {
      const attachments = await Promise.all(Array.from({ length: CONTAINERS }, () => subject.attach()));
      const answers = await Promise.all(attachments.map((attachment) => subject.later("DEL", attachment)));
      answers.forEach(succeeded);
    });
  }),
  must("ADDs and DELs at the same time do not disturb each other", async (subject) => {
    await subject.alone();
    const leaving = await subject.attach();
    const [answer, ...coming] = await Promise.all([
      subject.later("DEL", leaving),
      subject.attach(),
      subject.attach(),
    ]);
    succeeded(answer);
    for (const attachment of coming) await works(subject, attachment);
  }),
]);
