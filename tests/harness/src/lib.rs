//! Drives and judges a stack: generated orders, the sender, the verdict, the demo.
