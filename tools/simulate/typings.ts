/**
 * Reads from an SDK's typings what its provider takes and gives back for one resource. They are generated from the
 * provider's own schema, so a simulated provider refuses what the real one refuses, whatever we believe.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import ts from "typescript";

/** `one`: an enum's values. It is `open` where the typings take any other text as well. `object`: a key of `types`. */
export type Type =
  "string" | "number" | "boolean" | "any" | { list: Type } | { map: Type } | { object: string } | OneOf;

export interface OneOf {
  one: readonly (string | number)[];
  open: boolean;
}

export interface Property {
  type: Type;
  required?: true;
  /** Its documentation says without a condition that a change makes a new resource. */
  replaces?: true;
  /** All values, as its documentation lists them. */
  values?: readonly string[];
  /** What its documentation says is taken when it is not given. */
  otherwise?: string;
  deprecated?: string;
}

export type Shape = Readonly<Record<string, Property>>;

export interface Resource {
  /** What a program gives: the interface `<Name>Args`. */
  inputs: Shape;
  /** What it gets: the properties of the class. `required` ones always have a value. */
  outputs: Shape;
  /** The nested shapes of both, by their names in the typings (`inputs.ecs.ServiceAlarms`). */
  types: Readonly<Record<string, Shape>>;
  /** A block without anything in it is one for the provider, too. Default: it is none. */
  keepsEmptyBlocks?: boolean;
}

/** The resource `name` of `<folder>/<file>.d.ts`; undefined if there is none. */
export function readResource(folder: string, file: string, name: string): Resource | undefined {
  const text = readIfThere(join(folder, `${file}.d.ts`));
  if (text === undefined) return undefined;
  const reader = new Reader(folder);
  let inputs: Shape | undefined;
  let outputs: Shape | undefined;
  for (const statement of parse(text).statements) {
    if (ts.isClassDeclaration(statement) && statement.name?.text === name) outputs = reader.shape(statement, text);
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === `${name}Args`)
      inputs = reader.shape(statement, text);
  }
  if (!inputs || !outputs) return undefined;
  return { inputs, outputs, types: reader.types };
}

class Reader {
  readonly types: Record<string, Shape> = {};
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  shape(from: ts.ClassDeclaration | ts.InterfaceDeclaration, text: string): Shape {
    const shape: Record<string, Property> = {};
    for (const member of from.members) {
      if (!ts.isPropertySignature(member) && !ts.isPropertyDeclaration(member)) continue;
      if (!member.type || !ts.isIdentifier(member.name)) continue;
      const hidden = ts.canHaveModifiers(member) && (ts.getModifiers(member) ?? []).some(isStatic);
      if (hidden) continue;
      const comment = commentOf(member, text);
      const maybe = member.questionToken !== undefined || mayBeUndefined(member.type);
      shape[member.name.text] = {
        type: this.type(member.type),
        ...(maybe ? {} : { required: true as const }),
        ...said(comment),
      };
    }
    return shape;
  }

  private type(node: ts.TypeNode): Type {
    if (node.kind === ts.SyntaxKind.StringKeyword) return "string";
    if (node.kind === ts.SyntaxKind.NumberKeyword) return "number";
    if (node.kind === ts.SyntaxKind.BooleanKeyword) return "boolean";
    if (ts.isArrayTypeNode(node)) return { list: this.type(node.elementType) };
    if (ts.isParenthesizedTypeNode(node)) return this.type(node.type);
    if (ts.isUnionTypeNode(node))
      return union(node.types.filter((each) => !isUndefined(each)).map((t) => this.type(t)));
    if (ts.isTypeLiteralNode(node)) {
      const [member] = node.members;
      return member && ts.isIndexSignatureDeclaration(member) ? { map: this.type(member.type) } : "any";
    }
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal))
      return { one: [node.literal.text], open: false };
    return ts.isTypeReferenceNode(node) ? this.reference(node) : "any";
  }

  private reference(node: ts.TypeReferenceNode): Type {
    const [root = "", ...path] = entity(node.typeName);
    const [argument] = node.typeArguments ?? [];
    if (root === "pulumi" && (path[0] === "Input" || path[0] === "Output") && argument) return this.type(argument);
    if (root === "pulumi" && path[0] === "ID") return "string";
    if (root === "enums") return this.values(path);
    if (root !== "inputs" && root !== "outputs") return "any"; // a resource, a document, an asset
    const key = [root, ...path].join(".");
    if (!(key in this.types)) {
      this.types[key] = {}; // some shapes contain themselves
      const text = declaration(join(this.folder, "types", `${root.slice(0, -1)}.d.ts`), path);
      const [found] = text === undefined ? [] : parse(text).statements;
      if (text === undefined || !found || !ts.isInterfaceDeclaration(found)) return "any";
      this.types[key] = this.shape(found, text);
    }
    return { object: key };
  }

  private values(path: readonly string[]): Type {
    const name = path.at(-1) ?? "";
    const text = readIfThere(join(this.folder, "types/enums", ...path.slice(0, -1), "index.d.ts")) ?? "";
    const begin = text.indexOf(`\nexport declare const ${name}: {`);
    const list = (begin < 0 ? text : text.slice(begin)).split("\n};")[0] ?? "";
    return { one: [...new Set([...list.matchAll(/readonly \w+: "([^"]*)";/g)].map((m) => m[1] ?? ""))], open: false };
  }
}

const files = new Map<string, string | undefined>();

/** SDKs have megabytes of nested types in one file, so it is kept, and only what is asked for is parsed. */
function readIfThere(path: string): string | undefined {
  if (!files.has(path)) {
    try {
      files.set(path, readFileSync(path, "utf8"));
    } catch {
      files.set(path, undefined);
    }
  }
  return files.get(path);
}

/** The text of the interface at `path` (namespace, name) of a generated file, whose indentation is always the same. */
function declaration(file: string, path: readonly string[]): string | undefined {
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  const [name = "", namespace] = [...path].reverse();
  let begin = 0;
  let end = text.length;
  if (namespace !== undefined) {
    begin = text.indexOf(`\nexport declare namespace ${namespace} {\n`);
    end = text.indexOf("\n}", begin);
    if (begin < 0) return undefined;
  }
  const indent = namespace === undefined ? "" : "    ";
  const start = text.indexOf(`\n${indent}${namespace === undefined ? "export " : ""}interface ${name} {`, begin);
  if (start < 0 || start > end) return undefined;
  return text.slice(start + 1, text.indexOf(`\n${indent}}`, start) + indent.length + 2);
}

function parse(text: string): ts.SourceFile {
  return ts.createSourceFile("typings.d.ts", text, ts.ScriptTarget.ES2023, false);
}

function isStatic(modifier: ts.ModifierLike): boolean {
  return modifier.kind === ts.SyntaxKind.StaticKeyword;
}

function entity(name: ts.EntityName): string[] {
  return ts.isIdentifier(name) ? [name.text] : [...entity(name.left), name.right.text];
}

function isUndefined(node: ts.TypeNode): boolean {
  return node.kind === ts.SyntaxKind.UndefinedKeyword;
}

/** `Output<T | undefined>` and `Input<T | undefined>`. */
function mayBeUndefined(node: ts.TypeNode): boolean {
  if (ts.isUnionTypeNode(node)) return node.types.some(mayBeUndefined);
  if (ts.isTypeReferenceNode(node)) return (node.typeArguments ?? []).some(mayBeUndefined);
  return isUndefined(node);
}

function union(types: readonly Type[]): Type {
  const [first = "any", ...others] = types;
  if (others.length === 0) return first;
  const enums = types.filter((type): type is OneOf => typeof type === "object" && "one" in type);
  const one = enums.flatMap((type) => type.one);
  if (enums.length === types.length) return { one, open: false };
  return enums.length > 0 && types.every((type) => type === "string" || enums.includes(type as OneOf))
    ? { one, open: true }
    : "any";
}

function commentOf(node: ts.Node, text: string): string {
  const [range] = (ts.getLeadingCommentRanges(text, node.pos) ?? []).slice(-1);
  if (!range) return "";
  return text
    .slice(range.pos, range.end)
    .replace(/^\/\*\*|\*\/$/g, "")
    .replace(/^\s*\* ?/gm, "")
    .trim();
}

const replacing = [
  /^(?:Changing|Modifying) (?:this|it|the `|`|any value)[^.]*\b(?:(?:forces?|creates?|creating|requires?|trigger|recreation of|cause)\b[^.]*\b(?:new|replace|replacement|re-?creat\w*)\b|re-?creates?\b)/i,
  /^Forces? (?:a |the )?(?:new|re-?creat|replac)/i,
  /^(?:It |This |This value |This attribute )?(?:cannot|can't) be changed(?: after (?:creation|\w+ (?:is|has been) created))?$/i,
  /is changed, creates a new resource$/i,
];
const conditional =
  /\b(?:if|unless|below|between|other than|with an|from `|does not|in-place|triggers? an? (?:update|in)|for multi)\b/i;

/** What a documentation's sentences say of replacement, values, default and deprecation. */
export function said(comment: string): Omit<Property, "type" | "required"> {
  const deprecated = /@deprecated ([^\n]*)/.exec(comment)?.[1];
  const sentences = comment
    .replace(/\n/g, " ")
    .split(/(?<=[^.][.)])\s+/)
    .map((each) => each.replace(/[.)(]+$/, ""));
  const replaces = sentences.some((each) => {
    const sentence = each.replace(/^[(*]*(?:Optional|Required)?,? ?/, "").trim();
    const whole = sentence.includes("is changed, creates");
    return replacing.some((form) => form.test(sentence)) && (whole || !conditional.test(sentence));
  });
  const values = listed(comment);
  const otherwise = /\bDefaults? (?:to|is|value is) `([^`]+)`/i.exec(comment)?.[1];
  return {
    ...(replaces ? { replaces: true as const } : {}),
    ...(values ? { values } : {}),
    ...(otherwise === undefined ? {} : { otherwise }),
    ...(deprecated === undefined ? {} : { deprecated }),
  };
}

/**
 * "Valid values are `A`, `B` and `C`." A list in the middle of a sentence is of something else, and one that goes on, or
 * begins with "include", is not all.
 */
function listed(comment: string): string[] | undefined {
  const form =
    /(?:^|[.:;)] )(?:The )?(?:(?:valid|allowed|possible|supported|accepted) values(?: are|:| are:)|(?:must|should) be(?: one of)?:?|one of:?) ((?:`[^`\s]+`(?:, (?:and |or )?| and | or |\.|;|$)(?: |$)?){2,})/i;
  const [whole, list] = form.exec(comment.replace(/\n/g, " ")) ?? [];
  if (whole === undefined || list === undefined || !/[.;]\s*$|`$/.test(list) || comment.includes("also valid"))
    return undefined;
  const texts = [...(list.split(/[.;]/)[0] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
  const values = texts.map((text) => text.replace(/"/g, ""));
  return values.length < 2 || values.some((value) => /[*<>[\]]|XX$/.test(value)) ? undefined : values;
}
