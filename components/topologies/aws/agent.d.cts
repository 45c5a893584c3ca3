/** The text of slot.py. */
export declare const agent: string;
