/** Rules of this house for `deno lint`. */

const MOST_PARAMETERS = 4;

const check = (context: Deno.lint.RuleContext) => (node: { params: Deno.lint.Parameter[]; range: Deno.lint.Range }) => {
  const found = node.params.length;
  if (found <= MOST_PARAMETERS) return;
  context.report({
    range: node.range,
    message: `${found} parameters: at most ${MOST_PARAMETERS}, what belongs together is one value`,
  });
};

export default {
  name: "house",
  rules: {
    parameters: {
      create: (context) => ({
        FunctionDeclaration: check(context),
        FunctionExpression: check(context),
        ArrowFunctionExpression: check(context),
      }),
    },
  },
} satisfies Deno.lint.Plugin;
