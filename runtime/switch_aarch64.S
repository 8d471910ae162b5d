/* The context switch of aarch64. The saved frame, from the saved stack pointer up:
 *   0 x29, 8 x30, 16 x19 to x28, 96 d8 to d15, 160 fpcr, 168 fpsr
 * Both stacks have the same layout at the moment of the exchange, so the unwind information holds
 * on either side of it. */

        .text

/* void rt_switch(void **save_sp, void *load_sp) */
        .globl  rt_switch
        .hidden rt_switch
        .type   rt_switch, %function
        .p2align 4
rt_switch:
        .cfi_startproc
        stp     x29, x30, [sp, #-176]!
        .cfi_def_cfa_offset 176
        .cfi_offset x29, -176
        .cfi_offset x30, -168
        stp     x19, x20, [sp, #16]
        .cfi_offset x19, -160
        .cfi_offset x20, -152
        stp     x21, x22, [sp, #32]
        .cfi_offset x21, -144
        .cfi_offset x22, -136
        stp     x23, x24, [sp, #48]
        .cfi_offset x23, -128
        .cfi_offset x24, -120
        stp     x25, x26, [sp, #64]
        .cfi_offset x25, -112
        .cfi_offset x26, -104
        stp     x27, x28, [sp, #80]
        .cfi_offset x27, -96
        .cfi_offset x28, -88
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x11, fpcr
        mrs     x12, fpsr
        stp     x11, x12, [sp, #160]
        mov     x10, sp
        stlr    x10, [x0]       /* after wait_count, for tools that read along */
        mov     sp, x1
        ldp     x9, x10, [sp, #160]
        cmp     x9, x11
        b.eq    1f              /* writing them is slow, and they hardly ever differ */
        msr     fpcr, x9
1:
        cmp     x10, x12
        b.eq    2f
        msr     fpsr, x10
2:
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #176
        .cfi_def_cfa_offset 0
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   rt_switch, . - rt_switch

/* Where a new task begins: the outermost frame of its stack. The task is in x19. */
        .globl  taskrt_task_entry
        .type   taskrt_task_entry, %function
        .p2align 4
taskrt_task_entry:
        .cfi_startproc
        .cfi_undefined x30
        .cfi_def_cfa sp, 0
        nop     /* a task begins after it: unwinders look at the address minus one */
        mov     x29, xzr
        mov     x30, xzr
        mov     x0, x19
        bl      rt_task_main
        brk     #1
        .cfi_endproc
        .size   taskrt_task_entry, . - taskrt_task_entry

        .section .note.GNU-stack, "", %progbits
