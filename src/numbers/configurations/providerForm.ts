// The form for a Twilio account, described for clients that draw it.
import type { TextField } from "./configurationForm.ts";

interface FormField {
  readonly name: TextField | "amd_enabled";
  readonly label: string;
  readonly type: "text" | "password" | "boolean";
  readonly required: boolean;
  readonly sensitive: boolean;
  readonly description: string;
  readonly placeholder?: string;
  readonly section?: string;
}

const ROTATION = "Token rotation";
const REST = "API requests";

/** The form as clients draw it. */
export const FORM: readonly FormField[] = [
  {
    name: "account_sid",
    label: "Account SID",
    type: "text",
    required: true,
    sensitive: true,
    description: "AC and 32 hex digits, from the first page of Twilio's console.",
    placeholder: "ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
  },
  {
    name: "auth_token",
    label: "Auth token",
    type: "password",
    required: true,
    sensitive: true,
    description:
      "The primary auth token. Twilio signs its requests with it, so an API key can't take its place.",
  },
  {
    name: "amd_enabled",
    label: "Detect answering machines",
    type: "boolean",
    required: false,
    sensitive: false,
    description:
      "Finds out whether a person or a machine answers an outbound call. Twilio may bill it per call.",
  },
  {
    name: "secondary_auth_token",
    label: "Secondary auth token",
    type: "password",
    required: false,
    sensitive: true,
    description: "While a token is being rotated: accepted in signatures beside the primary one.",
    section: ROTATION,
  },
  {
    name: "api_key_sid",
    label: "API key SID",
    type: "text",
    required: false,
    sensitive: true,
    description: "SK and 32 hex digits. Requests to Twilio are made with this key instead of the auth token.",
    placeholder: "SKxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    section: REST,
  },
  {
    name: "api_key_secret",
    label: "API key secret",
    type: "password",
    required: false,
    sensitive: true,
    description: "Shown once by Twilio, when the key is made.",
    section: REST,
  },
  {
    name: "region",
    label: "Region",
    type: "text",
    required: false,
    sensitive: false,
    description:
      "Twilio's region for API requests, if it isn't the United States. Credentials are its own there.",
    placeholder: "ie1",
    section: REST,
  },
  {
    name: "edge",
    label: "Edge",
    type: "text",
    required: false,
    sensitive: false,
    description: "Where API requests enter Twilio's network.",
    placeholder: "dublin",
    section: REST,
  },
];
