import { all, interpolate } from "@pulumi/pulumi";
import { RandomId } from "@pulumi/random";
import { UserGroup } from "@pulumi/aws/cognito/userGroup.js";
import { UserPool } from "@pulumi/aws/cognito/userPool.js";
import { UserPoolClient } from "@pulumi/aws/cognito/userPoolClient.js";
import { UserPoolDomain } from "@pulumi/aws/cognito/userPoolDomain.js";

import type { Ask, Given } from "../../../core/contracts.ts";
import { cognitoGroups, ofCognito } from "../../../core/existing.ts";
import { protection } from "../../../core/site.ts";
import type { At } from "../../../core/topology.ts";
import { guarded, type Region } from "../region.ts";

/** A pool of users on Cognito, which the operator fills, with the groups of the ask, and one client. */
export function makeOidc(
  { site, region, under, nodes }: Region,
  name: string,
  ask: Ask<"oidc">,
  { parent, logicalName }: At,
) {
  const protect = guarded(site, name);
  const options = under(parent);
  const pool = new UserPool(
    logicalName,
    {
      deletionProtection: protect ? "ACTIVE" : "INACTIVE",
      usernameAttributes: ["email"],
      autoVerifiedAttributes: ["email"],
      adminCreateUserConfig: { allowAdminCreateUserOnly: true },
      accountRecoverySetting: { recoveryMechanisms: [{ name: "verified_email", priority: 1 }] },
      mfaConfiguration: "OPTIONAL",
      softwareTokenMfaConfiguration: { enabled: true },
      passwordPolicy: {
        ...{ minimumLength: 12, requireLowercase: true, requireUppercase: true, requireNumbers: true },
        ...{ requireSymbols: false, temporaryPasswordValidityDays: 7 },
      },
    },
    // Each would make an empty pool in the place of the old one.
    { ...options, ...protection(protect), ignoreChanges: ["usernameAttributes", "aliasAttributes"] },
  );
  nodes[name] = pool;
  // A prefix is given once in the region, over all accounts, and must not have `aws` in it, as a stack's name may.
  const prefix = new RandomId(`${logicalName}-domain`, { byteLength: 8 }, { parent });
  const domain = new UserPoolDomain(
    logicalName,
    { userPoolId: pool.id, domain: interpolate`login-${prefix.hex}` },
    options,
  );
  const home = new URL("/", ask.callback).href;
  const client = new UserPoolClient(
    logicalName,
    {
      userPoolId: pool.id,
      generateSecret: true,
      allowedOauthFlows: ["code"],
      allowedOauthFlowsUserPoolClient: true,
      allowedOauthScopes: ["openid", "email", "profile"],
      supportedIdentityProviders: ["COGNITO"],
      callbackUrls: [ask.callback],
      logoutUrls: [home],
      preventUserExistenceErrors: "ENABLED",
      enableTokenRevocation: true,
    },
    options,
  );
  const groups = ask.groups.map(
    (group) => new UserGroup(`${logicalName}-${group}`, { userPoolId: pool.id, name: group }, options),
  );
  const issuer = interpolate`https://cognito-idp.${region}.amazonaws.com/${pool.id}`;
  const base = interpolate`https://${domain.domain}.auth.${region}.amazoncognito.com`;
  const urls = all([issuer, base, client.id]).apply(([issuedBy, at, clientId]) =>
    ofCognito({ issuer: issuedBy, domain: at, clientId }, home),
  );
  const given: Given<"oidc"> = {
    issuer,
    urls: { auth: urls.auth, token: urls.token, keys: urls.keys, logout: urls.logout },
    groupsClaim: cognitoGroups,
    clientId: client.id,
    clientSecret: client.clientSecret,
    ready: [client, domain, ...groups],
  };
  return given;
}
