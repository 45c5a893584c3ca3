/**
 * What the doc comments in the sources say of each key of a config. They stay where they are read, above the schemas'
 * members and the arguments' interfaces; the JSON Schema takes its descriptions from here.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import ts from "typescript";

import { repo } from "../setup/paths.ts";

/** Of a value: its comment, its properties', and that of what a list or record holds. */
export interface Doc {
  readonly text?: string | undefined;
  readonly properties: ReadonlyMap<string, Doc>;
  readonly inside?: Doc | undefined;
}

const nothing: Doc = { properties: new Map() };

export class Sources {
  readonly #values = new Map<string, readonly Declared[]>();
  readonly #interfaces = new Map<string, ts.InterfaceDeclaration>();

  /** Reads everything below `components` that declares a schema, and the arguments' interfaces. */
  constructor() {
    for (const file of globSync("components/**/*.ts", { cwd: repo }).sort()) {
      const text = readFileSync(join(repo, file), "utf8");
      const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
      for (const statement of source.statements) this.#collect(statement);
    }
  }

  #collect(statement: ts.Statement): void {
    if (ts.isInterfaceDeclaration(statement)) this.#interfaces.set(statement.name.text, statement);
    if (ts.isFunctionDeclaration(statement) && statement.name !== undefined)
      for (const inner of statement.body?.statements ?? [])
        if (ts.isReturnStatement(inner) && inner.expression !== undefined)
          this.#declare(statement.name.text, { at: statement, value: inner.expression });
    if (ts.isVariableStatement(statement))
      for (const { name, initializer } of statement.declarationList.declarations)
        if (ts.isIdentifier(name) && initializer !== undefined)
          this.#declare(name.text, { at: statement, value: initializer });
  }

  #declare(name: string, declared: Declared): void {
    this.#values.set(name, [...(this.#values.get(name) ?? []), declared]);
  }

  /** Of a schema, by its constant's name. */
  schema(name: string): Doc {
    const [declared] = this.#values.get(name) ?? [];
    return declared === undefined ? nothing : this.#of(declared.value);
  }

  /** Of the members of an interface, and of those that it extends. */
  arguments(name: string): Doc {
    const { members = [], heritageClauses = [] } = this.#interfaces.get(name) ?? {};
    const extended = heritageClauses.flatMap(({ types }) => types.map(({ expression }) => expression.getText()));
    const own = members.flatMap((member): [string, Doc][] => {
      if (!ts.isPropertySignature(member)) return [];
      // `NodeArgs`, or `Dict<NodeArgs>`.
      const [, outer = "", inner] = /^(\w+)(?:<(\w+)>)?/.exec(member.type?.getText() ?? "") ?? [];
      const value = inner === undefined ? this.arguments(outer) : { ...nothing, inside: this.arguments(inner) };
      return [[member.name.getText(), { ...value, text: commentOf(member) }]];
    });
    return together([{ properties: new Map(own) }, ...extended.map((other) => this.arguments(other))]);
  }

  /** Of an expression that makes a schema: what is inside of `z.object(…)`, behind any number of further calls. */
  #of(expression: ts.Expression): Doc {
    if (ts.isIdentifier(expression)) return this.#named(expression);
    if (ts.isObjectLiteralExpression(expression)) return { properties: new Map(this.#members(expression)) };
    if (ts.isArrayLiteralExpression(expression)) return together(expression.elements.map((each) => this.#of(each)));
    if (ts.isPropertyAccessExpression(expression))
      return this.#of(expression.expression).properties.get(expression.name.text) ?? nothing;
    if (!ts.isCallExpression(expression)) return nothing;
    const {
      expression: called,
      arguments: [first, second],
    } = expression;
    if (ts.isIdentifier(called)) return this.#named(called);
    if (!ts.isPropertyAccessExpression(called)) return nothing;
    if (called.expression.getText() !== "z") return this.#of(called.expression);
    const given = called.name.text.endsWith("ecord") || called.name.text === "discriminatedUnion" ? second : first;
    if (given === undefined) return nothing;
    const doc = this.#of(given);
    return /ecord$|^array$/.test(called.name.text) ? { ...nothing, inside: doc } : doc;
  }

  /** What a name means in its file: what is declared there, or imported. */
  #named(name: ts.Identifier): Doc {
    const source = name.getSourceFile();
    const from = source.statements.filter(ts.isImportDeclaration).find(({ importClause }) => {
      const names = importClause?.namedBindings;
      return (
        names !== undefined && ts.isNamedImports(names) && names.elements.some((each) => each.name.text === name.text)
      );
    })?.moduleSpecifier;
    const file =
      from !== undefined && ts.isStringLiteral(from) ? join(dirname(source.fileName), from.text) : source.fileName;
    const found = this.#values.get(name.text)?.find(({ at }) => at.getSourceFile().fileName === file);
    return found === undefined ? nothing : { ...this.#of(found.value), text: commentOf(found.at) };
  }

  #members({ properties }: ts.ObjectLiteralExpression): [string, Doc][] {
    return properties.flatMap((member): [string, Doc][] => {
      if (ts.isSpreadAssignment(member)) return [...this.#of(member.expression).properties];
      const name = member.name.getText().replaceAll('"', "");
      const text = commentOf(member);
      const value = ts.isPropertyAssignment(member)
        ? this.#of(member.initializer)
        : ts.isShorthandPropertyAssignment(member)
          ? this.#named(member.name)
          : nothing;
      return [[name, { ...value, text: text ?? value.text }]];
    });
  }
}

interface Declared {
  readonly at: ts.Statement;
  readonly value: ts.Expression;
}

/** Of several forms of a value, everything; the first one's comment of a key counts. */
export function together(docs: readonly Doc[]): Doc {
  const properties = new Map<string, Doc>();
  for (const doc of docs)
    for (const [key, inner] of doc.properties) {
      const before = properties.get(key);
      properties.set(key, before === undefined ? inner : together([before, inner]));
    }
  const inside = docs.flatMap((doc) => doc.inside ?? []);
  return {
    text: docs.find(({ text }) => text !== undefined)?.text,
    properties,
    ...(inside.length > 0 ? { inside: together(inside) } : {}),
  };
}

/** The text of a doc comment, on one line. */
function commentOf(node: ts.Node): string | undefined {
  const comment = ts.getJSDocCommentsAndTags(node).find(ts.isJSDoc)?.comment;
  return ts.getTextOfJSDocComment(comment)?.replaceAll(/\s+/g, " ").trim();
}
