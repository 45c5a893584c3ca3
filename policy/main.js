// The SDK compiles a pack's .ts itself, and knows no import of a .ts file; Node strips types of what a module imports.
import "./index.ts";
